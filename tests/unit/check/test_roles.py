"""Rights by roles and bindings, as RBAC evaluates them."""

import copy
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import yaml

from stillpoint.check import rights
from stillpoint.check.rights import Right
from stillpoint.model.item import Item
from stillpoint.resources.installation import roles
from stillpoint.resources.installation.roles import Account

RBAC = Path(__file__).parents[3] / "docs/install/rbac.yaml"
VELERO = Account("velero", "velero")
SERVED = {right.served_as for right in rights.NEEDED}


def documented() -> list[Item]:
    return copy.deepcopy(list(yaml.safe_load_all(RBAC.read_text())))


def lacking(of: list[Item], account: Account = VELERO) -> set[Right]:
    return set(rights.lacking(account, of, SERVED))


def test_the_manifest_gives_all_that_is_needed() -> None:
    assert lacking(documented()) == set()
    assert lacking([]) == set(rights.NEEDED)
    assert lacking(documented(), Account("velero", "other")) == set(rights.NEEDED)


def given(rule: Item) -> set[tuple[str, ...]]:
    return set(product(rule["apiGroups"], rule["resources"], rule["verbs"]))


def rules() -> Iterator[tuple[int, int]]:
    for number, one in enumerate(documented()):
        for place in range(len(one.get("rules", ()))):
            yield number, place


@pytest.mark.parametrize(("number", "place"), list(rules()))
def test_without_a_rule_its_rights_are_lacking_and_no_others(number: int, place: int) -> None:
    of = documented()
    rule = of[number]["rules"].pop(place)
    elsewhere = (one for one in of if one["kind"] in ("ClusterRole", of[number]["kind"]))
    left = {right for one in elsewhere for each in one["rules"] for right in given(each)}
    found = {(right.group, right.resource, right.verb) for right in lacking(of)}
    assert found == given(rule) - left


def binding(subject: Item, **of: object) -> Item:
    role = {"kind": "ClusterRole", "name": "cluster-admin"}
    made = {"kind": "ClusterRoleBinding", "metadata": {"name": "x"}, "roleRef": role}
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "subjects": [subject]}
    return {**made, **api, **of}


@pytest.mark.parametrize(
    ("subject", "is_bound"),
    [
        ({"kind": "ServiceAccount", "name": "velero", "namespace": "velero"}, True),
        ({"kind": "ServiceAccount", "name": "velero", "namespace": "other"}, False),
        ({"kind": "ServiceAccount", "name": "velero"}, False),
        ({"kind": "User", "name": "system:serviceaccount:velero:velero"}, True),
        ({"kind": "User", "name": "velero"}, False),
        ({"kind": "Group", "name": "system:serviceaccounts"}, True),
        ({"kind": "Group", "name": "system:serviceaccounts:velero"}, True),
        ({"kind": "Group", "name": "system:authenticated"}, True),
        ({"kind": "Group", "name": "system:masters"}, False),
    ],
    ids=str,
)
def test_an_account_is_bound_by_name_user_or_group(subject: Item, *, is_bound: bool) -> None:
    assert bool(lacking([binding(subject)])) is not is_bound


def test_a_binding_in_a_namespace_gives_rights_there_alone() -> None:
    metadata = {"name": "x", "namespace": "velero"}
    subject = {"kind": "ServiceAccount", "name": "velero"}
    here = binding(subject, kind="RoleBinding", metadata=metadata)
    assert lacking([here]) == {right for right in rights.NEEDED if not right.is_of_velero}
    named = {**here, "subjects": [{**subject, "namespace": "velero"}]}
    elsewhere = {**named, "metadata": {**metadata, "namespace": "shop"}}
    assert lacking([named]) == lacking([here])
    assert lacking([elsewhere]) == set(rights.NEEDED)


def test_a_role_of_that_name_counts_before_the_one_that_is_known() -> None:
    subject = {"kind": "Group", "name": "system:authenticated"}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "cluster-admin"},
        "rules": [],
    }
    assert lacking([binding(subject), role]) == set(rights.NEEDED)


@pytest.mark.parametrize(
    ("change", "is_given"),
    [
        ({}, True),
        ({"resourceNames": ["one"]}, False),
        ({"verbs": ["*"]}, True),
        ({"verbs": ["list"]}, False),
        ({"apiGroups": ["*"]}, True),
        ({"apiGroups": [""]}, False),
        ({"resources": ["*"]}, True),
        ({"resources": ["*/unfreeze"]}, True),
        ({"resources": ["virtualmachineinstances"]}, False),
        ({"resources": ["*/freeze"]}, False),
        ({"nonResourceURLs": ["*"], "resources": []}, False),
    ],
    ids=str,
)
def test_a_rule_gives_what_rbac_says(change: Item, *, is_given: bool) -> None:
    rule = {
        "apiGroups": ["subresources.kubevirt.io"],
        "resources": ["virtualmachineinstances/unfreeze"],
        "verbs": ["update"],
    }
    group, resource = "subresources.kubevirt.io", "virtualmachineinstances/unfreeze"
    assert roles.allows({**rule, **change}, group, resource, "update") is is_given
