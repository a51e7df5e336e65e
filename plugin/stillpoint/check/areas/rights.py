"""Rights of Velero's service account, with which the plugin reads and writes."""

from collections.abc import Iterator

from stillpoint.check.case import Case, Installation
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.check.rights import Right
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import workload

Facts = Iterator[Found | NotKnown]


def _each(case: Case) -> Iterator[tuple[Installation, tuple[Right, ...] | None]]:
    """Each installation with a server, and the rights that it lacks; None if nothing says."""
    for one in case.installations:
        if one.server:
            yield one, case.lacking(one.namespace)


def _found(one: Installation, lacking: tuple[Right, ...]) -> Found:
    account = workload.account(one.server) if one.server else ""
    by_resource: dict[str, list[str]] = {}
    for right in lacking:
        by_resource.setdefault(right.name, []).append(right.verb)
    listed = (f"{', '.join(dict.fromkeys(verbs))} {name}" for name, verbs in by_resource.items())
    text = f"service account {one.namespace}/{account}: {'; '.join(listed)}"
    return Found.of(text, namespace=one.namespace, name=account)


def _missing(case: Case) -> Iterator[Found | NotKnown]:
    for one, lacking in _each(case):
        if lacking is None:
            yield NotKnown(f"the rights of Velero's service account in {one.namespace}")
        elif needed := tuple(right for right in lacking if not right.is_optional):
            yield _found(one, needed)


def _optional(case: Case) -> Facts:
    for one, lacking in _each(case):
        if optional := tuple(right for right in lacking or () if right.is_optional):
            yield _found(one, optional)


# fmt: off
AREA = Area("rights", "Rights of Velero", (
    Row("rights-missing", Weight.BLOCKS,
        "Velero's service account lacks rights that the plugin needs",
        cause="the plugin acts with them: actions on items fail, and the backup with them",
        by_hand="kubectl auth can-i list virtualmachineinstances.kubevirt.io -A "
                "--as=system:serviceaccount:NAMESPACE:velero",
        remedy="stillpoint render rbac -n {namespace} --account {name} | kubectl apply -f -",
        fact=_missing),
    Row("optional-rights-missing", Weight.NOTE,
        "Velero's service account lacks rights that the plugin can do without",
        cause="without get secrets a restore warns that it could not look whether a Secret is "
              "there; without unfreeze a guest stands still until Velero's own hook thaws it, and "
              "one that is migrated while frozen until a person does; without those of group "
              "snapshots its disks are taken side by side; without those of the evidence a proof "
              "of how consistent a disk is is missing",
        by_hand="kubectl auth can-i get secrets -A --as=system:serviceaccount:NAMESPACE:velero",
        remedy="the optional roles of rbac.yaml, for account {name} in {namespace}: "
               "stillpoint render rbac", fact=_optional),
))
# fmt: on
