"""Facts about what a machine needs besides its disks, and about the backup as a whole."""

from collections.abc import Iterator, Sequence

from stillpoint.model import item as it
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps.restore import RestoreResult
from stillpoint.rehearsal.verdict.case import Case, Role, once
from stillpoint.resources import cluster_needs
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.resources.machines import (
    instancetype,
    kubevirt,
    persistent_state,
    virtual_machine,
    virtual_machine_pool,
)

_ELSEWHERE = (
    data_volume.RESOURCE,  # reported as disks
    persistent_volume_claim.RESOURCE,
    instancetype.INSTANCETYPE,  # the machine has its revision
    instancetype.PREFERENCE,
)


def errors(case: Case) -> Iterator[str]:
    """Errors of actions in the backup or the restore of the machine's items."""
    around = case.around
    blocks = {id(block): block for part in case.parts if (block := around.blocks.get(part))}
    for block in blocks.values():
        yield from block.errors
    for part in case.parts:
        if part in around.backup.items and (error := around.backup.items[part].error):
            yield error
        result = around.restored.get(part)
        if result and result.result is RestoreResult.FAILED:
            yield result.why


def not_created(case: Case) -> tuple[str, ...]:
    """The machine is in the backup, and a restore would not create it."""
    result = case.around.restored.get(case.reference)
    is_skipped = result is not None and result.result is RestoreResult.SKIPPED
    return (result.why,) if result and is_skipped and not result.conflict else ()


def conflicts(case: Case) -> Iterator[str]:
    """Objects that exist already where the restore would create them."""
    for part in case.parts:
        result = case.around.restored.get(part)
        if result and result.conflict:
            yield result.conflict


def outside(case: Case) -> Iterator[str]:
    """Objects that the machine's specification names and the backup would not hold."""
    for reference in _needs(case):
        if reference not in case.around.backup.stored and case.around.knows(reference):
            yield str(reference)


def outside_unknown(case: Case) -> Iterator[str]:
    """Named objects of a kind of which nothing is known."""
    for reference in _needs(case):
        if reference not in case.around.backup.stored and not case.around.knows(reference):
            yield str(reference)


def elsewhere(case: Case) -> Iterator[str]:
    """Named objects outside the namespace: they must exist before a restore."""
    claims = filter(None, map(case.claim, case.disks))
    for need in cluster_needs.of_machine(case.machine, claims):
        if need not in case.around.backup.stored:
            yield str(need)


def stored_pools(case: Case) -> Iterator[str]:
    """The pool of the machine, if the backup has stored it."""
    for name in virtual_machine_pool.of_machine(case.machine):
        pool = virtual_machine_pool.RESOURCE.named(case.reference.namespace, name)
        if pool in case.around.backup.stored:
            yield name


def without_pool(case: Case) -> Iterator[str]:
    """The pool of the machine, if the backup would leave it out."""
    return (
        name
        for name in virtual_machine_pool.of_machine(case.machine)
        if name not in tuple(stored_pools(case))
    )


def other_maker(case: Case) -> tuple[str, ...]:
    """The maker of the machine, if no pool: Velero drops owners, and it may make another."""
    if case.is_instance or any(virtual_machine_pool.of_machine(case.machine)):
        return ()
    maker = it.controller(case.machine)
    return (maker,) if maker else ()


def persistent_vtpm_or_efi(case: Case) -> tuple[str, ...]:
    """Its vTPM or EFI variables live in a claim of their own."""
    own = persistent_state.with_preference(case.machine, case.around.cluster.get)
    specifications = (own, it.mapping(case.instance or {}, "spec"))
    has_claims = any(disk.role is Role.STATE for disk in case.disks)
    return ("",) if persistent_state.is_kept(case.machine, specifications, has_claims) else ()


def snapshot_gate_off(case: Case) -> tuple[str, ...]:
    """KubeVirt's own snapshots are switched off; Velero's are not concerned."""
    installations = case.around.all_of(kubevirt.RESOURCE)
    is_off = not all(kubevirt.has_feature_gate(one, "Snapshot") for one in installations)
    return ("",) if is_off else ()


def second_backup(case: Case) -> Iterator[str]:
    """Backups that go on and take this machine."""
    resource = virtual_machine.RESOURCE
    for backup, filters in case.around.running:
        if filters.selects(resource, case.machine):
            yield it.name(backup)


@once
def _needs(case: Case) -> Sequence[Reference]:
    named = dict.fromkeys(case.needs)
    return [one for one in named if not any(one.is_of(resource) for resource in _ELSEWHERE)]
