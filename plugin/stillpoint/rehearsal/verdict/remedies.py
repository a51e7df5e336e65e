"""Remedies that depend on the place of the cause: each names the object to change."""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.names import listing
from stillpoint.rehearsal.verdict import guest
from stillpoint.rehearsal.verdict.case import Case
from stillpoint.resources.machines import kubevirt, virtual_machine, virtual_machine_instance

_SKIPS = virtual_machine_instance.SKIPS_HOOKS


def of_hooks_off(case: Case) -> str:
    """The annotation is removed from the object that has it.

    KubeVirt copies the annotation from the metadata of a machine to a running guest; from the
    template of a machine, and from the guest's own object, to a launcher pod when the pod is
    created (v1.9).
    """
    namespace, name = case.reference.namespace, case.reference.name
    again = f"virtctl restart {name} -n {namespace}"
    if case.is_instance:
        return f"oc annotate vmi -n {namespace} {name} {_SKIPS}-"
    if _SKIPS in it.annotations(case.machine):
        return f"oc annotate vm -n {namespace} {name} {_SKIPS}-"
    if _SKIPS in virtual_machine.template_annotations(case.machine):
        path = "/spec/template/metadata/annotations/" + _SKIPS.replace("/", "~1")
        patch = f'[{{"op": "remove", "path": "{path}"}}]'
        return f"oc patch vm -n {namespace} {name} --type=json -p='{patch}'; {again}"
    if _SKIPS in it.annotations(case.instance or {}):
        return f"oc annotate vmi -n {namespace} {name} {_SKIPS}-"
    found = filter(kubevirt.are_hooks_skipped, case.around.all_of(kubevirt.RESOURCE))
    taken_off = (
        f"oc annotate kubevirt -n {it.namespace(one)} {it.name(one)} {_SKIPS}-" for one in found
    )
    return "; ".join((*taken_off, again))


def of_long_freeze(case: Case) -> str:
    """Fewer guests in one freeze, where a shared claim has brought them together."""
    namespace, name = case.reference.namespace, case.reference.name
    shared = tuple(_sharing(case))
    if shared:
        return (
            f"{'; '.join(shared)}: all of them are frozen until the last snapshot. Take what is "
            "shared and only read out of the machines, or give it as a containerDisk"
        )
    claims = " ".join(disk.name for disk in case.disks)
    grouped = f"oc label pvc -n {namespace} {claims} velero.io/volume-group={name}"
    return f"where the driver can: {grouped}"


def _sharing(case: Case) -> Iterator[str]:
    for claim, machines in guest.sharing(case):
        yield f"claim {claim.name} joins {len(machines)} machines: {listing(machines)}"


def of_snapshot_gate(case: Case) -> str:
    """The feature gate is turned on in the object that has it."""
    return "; ".join(
        kubevirt.command_for_feature_gate(one, "Snapshot")
        for one in case.around.all_of(kubevirt.RESOURCE)
        if not kubevirt.has_feature_gate(one, "Snapshot")
    )
