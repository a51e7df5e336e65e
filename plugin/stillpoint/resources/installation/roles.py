"""Roles and their bindings (rbac.authorization.k8s.io/v1): what a service account may do.

Rules only ever add: what objects that were not read would say can only be more. Source:
pkg/registry/rbac/validation/rule.go and pkg/apis/rbac/v1/evaluation_helpers.go of Kubernetes v1.36.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

_GROUP = "rbac.authorization.k8s.io"
CLUSTER_ROLE = Resource(_GROUP, "v1", "clusterroles", "ClusterRole")
CLUSTER_ROLE_BINDING = Resource(_GROUP, "v1", "clusterrolebindings", "ClusterRoleBinding")
ROLE = Resource(_GROUP, "v1", "roles", "Role")
ROLE_BINDING = Resource(_GROUP, "v1", "rolebindings", "RoleBinding")
OF_CLUSTER = (CLUSTER_ROLE, CLUSTER_ROLE_BINDING)
OF_NAMESPACE = (ROLE, ROLE_BINDING)

_ADMIN = "cluster-admin"
_ALL_RULES = ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},)
"""Of the role cluster-admin, which Kubernetes brings and a dump may lack."""

_Roles = Mapping[tuple[str, str, str], Item]


class Account(NamedTuple):
    """A service account."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        """Its name for RBAC."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> tuple[str, ...]:
        """Its groups."""
        of_namespace = f"system:serviceaccounts:{self.namespace}"
        return "system:serviceaccounts", of_namespace, "system:authenticated"


def rules(account: Account, namespace: str, objects: Iterable[Item]) -> Iterator[Item]:
    """Rules that hold for the account.

    Args:
        namespace: where they are to hold; empty for everywhere.
        objects: with roles and bindings among them.
    """
    of_rbac = [one for one in objects if it.group_kind(one)[0] == _GROUP]
    roles = {(one["kind"], it.namespace(one), it.name(one)): one for one in of_rbac}
    for binding in of_rbac:
        if _holds_in(binding, namespace) and _binds(binding, account):
            yield from _rules(binding, roles)


def _holds_in(binding: Item, namespace: str) -> bool:
    if binding["kind"] == CLUSTER_ROLE_BINDING.kind:
        return True
    is_there = bool(namespace) and it.namespace(binding) == namespace
    return binding["kind"] == ROLE_BINDING.kind and is_there


def _binds(binding: Item, account: Account) -> bool:
    return any(_is(one, account, binding) for one in it.sequence(binding, "subjects"))


def _is(subject: Item, account: Account, binding: Item) -> bool:
    kind, name = it.text(subject, "kind"), it.text(subject, "name")
    if kind == "ServiceAccount":
        namespace = it.text(subject, "namespace") or it.namespace(binding)
        return (namespace, name) == account
    return (kind, name) == ("User", account.user) or (kind == "Group" and name in account.groups)


def _rules(binding: Item, roles: _Roles) -> Iterable[Item]:
    kind, name = it.text(binding, "roleRef", "kind"), it.text(binding, "roleRef", "name")
    namespace = it.namespace(binding) if kind == ROLE.kind else ""
    role = roles.get((kind, namespace, name))
    if role is None:
        return _ALL_RULES if (kind, name) == (CLUSTER_ROLE.kind, _ADMIN) else ()
    return it.sequence(role, "rules")


def allows(rule: Item, group: str, resource: str, verb: str) -> bool:
    """True if a rule gives a verb on all objects of a resource, or of a part: `pods/log`."""
    part = resource.partition("/")[2]
    resources = {"*", resource, *([f"*/{part}"] if part else [])}
    return (
        not it.texts(rule, "resourceNames")
        and not {"*", verb}.isdisjoint(it.texts(rule, "verbs"))
        and not {"*", group}.isdisjoint(it.texts(rule, "apiGroups"))
        and not resources.isdisjoint(it.texts(rule, "resources"))
    )
