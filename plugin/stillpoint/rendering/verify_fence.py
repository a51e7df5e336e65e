"""The fence around the account of `stillpoint verify`: a ValidatingAdmissionPolicy.

Roles cannot name namespaces whose names are made by chance, so they give rights in all of them; the
fence takes back changes that are outside. No policy is asked about reads: `verify_rights` says what
the account sees. Kubernetes has such policies from 1.30 on, OpenShift from 4.17 on. Conditions are
CEL: https://kubernetes.io/docs/reference/using-api/cel/.
"""

import json
from collections.abc import Iterator, Sequence
from textwrap import indent
from typing import NamedTuple

from stillpoint.evidence.verified import ANNOTATION
from stillpoint.rendering import verify_rights
from stillpoint.rendering.text import comment, scalar
from stillpoint.verification.restoring import RESOURCES
from stillpoint.verification.scratch import BACKUP, LABEL, PREFIX

FIELDS = (
    "backupName",
    "includedNamespaces",
    "includedResources",
    "itemOperationTimeout",
    "namespaceMapping",
)
"""Of the specification of a Restore: no hooks, no modifiers, no objects of the whole cluster, and
nothing that later versions of Velero add."""


class _Rule(NamedTuple):
    """Conditions of requests that change objects of some resources.

    Attributes:
        resources: plural names.
        holds: in CEL, all of them; `variables.one` is the object, also where it is deleted.
    """

    resources: tuple[str, ...]
    refusal: str
    holds: tuple[str, ...]


_OWN = f".startsWith('{PREFIX}')"
_OF_EACH = "variables.one.spec.includedNamespaces.all(each"
_ENDS = "request.operation == 'DELETE'"
"""Then only whose object it is counts: others may have changed what is in it, as Velero does."""

_NEW, _OLD = (f"{one}.metadata.?annotations.orValue({{}})" for one in ("object", "oldObject"))
_OURS = f"key == '{ANNOTATION}'"
_IN_NAMESPACES = (
    "networkpolicies",
    "persistentvolumeclaims",
    "resourcequotas",
    "virtualmachines",
    "volumesnapshots",
)
_RULES = (
    _Rule(
        ("persistentvolumes",),
        "it is no volume of a verification",
        (
            f"oldObject.spec.?claimRef.?namespace.orValue(''){_OWN}",
            "object.spec.claimRef == oldObject.spec.claimRef",
        ),
    ),
    _Rule(
        ("volumesnapshotcontents",),
        "it is not of a verification, or its snapshot would go with it",
        (
            f"oldObject.spec.volumeSnapshotRef.?namespace.orValue(''){_OWN}",
            "oldObject.spec.deletionPolicy == 'Retain'",
        ),
    ),
    _Rule(
        ("restores",),
        "it is no Restore of a verification, into its namespaces alone",
        (
            f"variables.one.metadata.name{_OWN}",
            "size(variables.one.spec.?includedNamespaces.orValue([])) > 0",
            f"{_OF_EACH}, each.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",
            f"{_OF_EACH}, variables.one.spec.?namespaceMapping[?each].orValue(''){_OWN})",
        ),
    ),
    _Rule(
        ("restores",),
        "it brings more than machines and their needs, or does more than to bring them",
        (
            f"{_ENDS} || object.spec.all(key, key in {list(FIELDS)})",
            f"{_ENDS} || size(object.spec.?includedResources.orValue([])) > 0",
            f"{_ENDS} || object.spec.includedResources.all(each, each in {list(RESOURCES)})",
        ),
    ),
    _Rule(
        ("backups",),
        f"it changes more of the backup than the annotation {ANNOTATION}",
        (
            "object.spec == oldObject.spec",
            "object.?status == oldObject.?status",
            "object.metadata.?labels == oldObject.metadata.?labels",
            "object.metadata.?finalizers == oldObject.metadata.?finalizers",
            "object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences",
            f"{_NEW}.all(key, {_OURS} || {_OLD}[?key] == {_NEW}[?key])",
            f"{_OLD}.all(key, {_OURS} || key in {_NEW})",
        ),
    ),
)
_ENFORCED = "object.metadata.?labels[?'pod-security.kubernetes.io/enforce']"
_UNPRIVILEGED = _Rule(
    ("namespaces",),
    "it admits privileged pods, which takes: stillpoint render verify --privileged",
    (f"{_ENDS} || {_ENFORCED}.orValue('') in ['', 'baseline', 'restricted']",),
)

_RESOURCES = {
    "": ("namespaces", "persistentvolumeclaims", "persistentvolumes", "resourcequotas"),
    "kubevirt.io": ("virtualmachines",),
    "networking.k8s.io": ("networkpolicies",),
    "snapshot.storage.k8s.io": ("volumesnapshotcontents", "volumesnapshots"),
    "velero.io": ("backups", "restores"),
}
"""Those of the rules by API group: all that the account may change but DownloadRequests."""


def manifest(namespace: str, account: str, *, is_privileged: bool) -> str:
    """The policy and its binding.

    Args:
        is_privileged: namespaces may admit privileged pods, where those of the originals do.
    """
    user = f"system:serviceaccount:{namespace}:{account}"
    name = scalar(verify_rights.cluster_name(namespace, account))
    rules = (*_of_namespaces(namespace), *_RULES, *(() if is_privileged else (_UNPRIVILEGED,)))
    return f"""\
# The fence: what {comment(user)}
# may change of what its roles let it change. Others are not asked. A cluster without such policies
# (Kubernetes before 1.30, OpenShift before 4.17) refuses it and takes what follows: an account that
# may delete any machine and any claim. Delete it there.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {name}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
{"".join(map(_resources, _RESOURCES))}\
  matchConditions:
    - name: account
      expression: {json.dumps(f"request.userInfo.username == {json.dumps(user)}")}
  variables:
    - name: one
      expression: "request.operation == 'DELETE' ? oldObject : object"
  validations:
{"".join(map(_validation, rules))}\
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {name}
spec:
  policyName: {name}
  validationActions: [Deny]
"""


def _of_namespaces(velero: str) -> Sequence[_Rule]:
    """The rules of what is in a namespace, and of namespaces: those for backups of one Velero."""
    inside, itself = "namespaceObject.metadata", "variables.one.metadata"
    return (
        _Rule(
            _IN_NAMESPACES, "it is in no namespace of a verification", (*_is_own(inside, velero),)
        ),
        _Rule(("namespaces",), "it is no namespace of a verification", (*_is_own(itself, velero),)),
    )


def _is_own(metadata: str, velero: str) -> Iterator[str]:
    """True of the metadata of a scratch namespace."""
    yield f"{metadata}.name{_OWN}"
    yield f"'{LABEL}' in {metadata}.?labels.orValue({{}})"
    backup = f"{metadata}.?annotations.orValue({{}})[?'{BACKUP}'].orValue('')"
    yield f"{backup}.startsWith({json.dumps(f'{velero}/')})"


def _resources(group: str) -> str:
    return f"""\
      - apiGroups: [{json.dumps(group)}]
        apiVersions: ["*"]
        resources: [{", ".join(_RESOURCES[group])}]
        operations: [CREATE, UPDATE, DELETE]
"""


def _validation(rule: _Rule) -> str:
    holds = " &&\n".join(f"({one})" for one in rule.holds)
    names = ", ".join(f"'{name}'" for name in rule.resources)
    return f"""\
    - message: {json.dumps(rule.refusal)}
      expression: |-
        !(request.resource.resource in [{names}]) || (
{indent(holds, "          ")})
"""
