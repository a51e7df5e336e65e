"""The findings of a rehearsal, virtual machine by virtual machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from plugin.model import item as it
from plugin.model.errors import MalformedItem
from plugin.model.item import Item
from plugin.model.reference import Reference
from plugin.rehearsal import velero_actions
from plugin.rehearsal.backup import Backup
from plugin.rehearsal.blocks import Block
from plugin.rehearsal.restore import RestoredItem, RestoreResult
from plugin.rehearsal.selection import Selection
from plugin.resources import (
    data_volume,
    persistent_volume_claim,
    pod,
    virtual_machine,
    virtual_machine_instance,
    volume,
)


class Cut(StrEnum):
    """How the disks are cut, as far as the objects tell."""

    FROZEN = "frozen"
    """The guest agent is connected, and a hook will ask it to freeze."""
    CRASH = "crash"
    """The guest runs, and nothing freezes it."""
    PAUSED = "paused"
    """The guest does not run at that moment, but its memory was not written back."""
    MIXED = "mixed"
    """A disk is outside of the block that is frozen."""
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Machine:
    """One virtual machine, or one instance that stands alone, in backup and restore.

    Attributes:
        state: as KubeVirt prints it; empty where the manifest has no status.
        cut_why: the fact that decided `cut`.
        disks: names of the claims that the guest writes to.
        hotplugged: those of them that a pod of their own attaches.
        block: what the backup takes between the same hooks as the machine.
        launchers: those of its pods in which a guest runs.
        stored: all that the backup holds of it.
        restored: what became of these.
        errors: in the backup or the restore of one of its items.
        missing: what a restore of it needs and the backup does not hold.
    """

    reference: Reference
    state: str
    cut: Cut
    cut_why: str
    disks: tuple[str, ...]
    hotplugged: tuple[str, ...]
    block: tuple[Reference, ...]
    launchers: tuple[Reference, ...]
    stored: tuple[Reference, ...]
    restored: tuple[RestoredItem, ...]
    errors: tuple[str, ...]
    missing: tuple[Reference, ...]

    @property
    def is_safe(self) -> bool:
        """Whether nothing failed or is missing, and the machine itself would be created."""
        created = {one.reference for one in self.restored if one.result is RestoreResult.CREATED}
        return not self.errors and not self.missing and self.reference in created


def of(
    selection: Selection, backup: Backup, restored: Sequence[RestoredItem]
) -> tuple[Machine, ...]:
    """The machines that the backup collects, in the order of their names."""
    blocks = {reference: block for block in backup.blocks for reference in block.items}
    results = {one.reference: one for one in restored}
    around = _Surroundings(selection, backup, backup.stored, blocks, results)
    return tuple(
        _machine_if_readable(reference, around)
        for reference in sorted(selection.collected(), key=lambda one: (one.namespace, one.name))
        if _is_machine(reference, selection.cluster[reference])
    )


@dataclass(frozen=True, slots=True)
class _Surroundings:
    selection: Selection
    backup: Backup
    stored: Mapping[Reference, Item]
    blocks: Mapping[Reference, Block]
    results: Mapping[Reference, RestoredItem]


def _is_machine(reference: Reference, item: Item) -> bool:
    if reference.is_of(virtual_machine.RESOURCE):
        return True
    is_instance = reference.is_of(virtual_machine_instance.RESOURCE)
    return is_instance and not virtual_machine_instance.is_owned(item)


def _machine(reference: Reference, around: _Surroundings) -> Machine:
    cluster = around.selection.cluster
    machine = cluster[reference]
    instance = cluster.get(
        virtual_machine_instance.RESOURCE.named(reference.namespace, reference.name)
    )
    block = around.blocks[reference].items if reference in around.blocks else ()
    parts = tuple(dict.fromkeys(_parts(reference, block, _needed(machine, instance), cluster)))
    disks, hotplugged = _disks(machine, instance)
    cut, why = _cut(machine, instance, block, disks, cluster)
    return Machine(
        reference,
        it.text(machine, "status", "printableStatus") or it.text(machine, "status", "phase"),
        cut,
        why,
        disks,
        hotplugged,
        block,
        tuple(one for one in block if _is_launcher(one, cluster[one])),
        tuple(part for part in parts if part in around.stored),
        tuple(around.results[part] for part in parts if part in around.results),
        tuple(dict.fromkeys(_errors(parts, around))),
        tuple(dict.fromkeys(_missing(parts, around))),
    )


def _machine_if_readable(reference: Reference, around: _Surroundings) -> Machine:
    try:
        return _machine(reference, around)
    except MalformedItem as error:
        errors = tuple(dict.fromkeys((str(error), *_errors((reference,), around))))
        return Machine(reference, "", Cut.UNKNOWN, error.cause, (), (), (), (), (), (), errors, ())


def _parts(
    reference: Reference,
    block: Iterable[Reference],
    needed: Iterable[Reference],
    cluster: Mapping[Reference, Item],
) -> Iterator[Reference]:
    for part in (reference, *block, *needed):
        yield part
        if velero_actions.kind(part) == velero_actions.CLAIMS and part in cluster:
            yield from velero_actions.additional_items(part, cluster[part])


def _needed(machine: Item, instance: Item | None) -> Iterator[Reference]:
    if machine.get("kind") == virtual_machine.RESOURCE.kind:
        yield from virtual_machine.references(machine)
    if instance:
        yield from virtual_machine_instance.references(instance)


def _disks(machine: Item, instance: Item | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    is_instance = machine.get("kind") == virtual_machine_instance.RESOURCE.kind
    volumes = [] if is_instance else [*virtual_machine.volumes(machine)]
    volumes += virtual_machine_instance.volumes(instance) if instance else []
    attached = virtual_machine_instance.hotplugged_volumes(instance or {})
    hotplugged = [one for one in volumes if it.text(one, "name") in attached]
    return _claims(volumes), _claims(hotplugged)


def _claims(volumes: Iterable[Item]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(volume.disk_claim, volumes))))


def _cut(
    machine: Item,
    instance: Item | None,
    block: Sequence[Reference],
    disks: Sequence[str],
    cluster: Mapping[Reference, Item],
) -> tuple[Cut, str]:
    if instance is None:
        return _cut_without_instance(machine)
    namespace = it.namespace(instance)
    outside = [
        name
        for name in disks
        if persistent_volume_claim.RESOURCE.named(namespace, name) not in block
    ]
    if outside:
        return Cut.MIXED, f"outside of the block: {', '.join(outside)}"
    if virtual_machine_instance.is_paused(instance):
        return Cut.PAUSED, "paused"
    if not any(_freezes(reference, cluster[reference]) for reference in block):
        return Cut.CRASH, "no freeze hook on a launcher pod"
    if not virtual_machine_instance.is_agent_connected(instance):
        return Cut.CRASH, "no guest agent"
    return Cut.FROZEN, "guest agent connected"


def _cut_without_instance(machine: Item) -> tuple[Cut, str]:
    if not it.mapping(machine, "status"):
        return Cut.UNKNOWN, "its manifest has no status"
    if virtual_machine.has_instance(machine):
        return Cut.UNKNOWN, "its instance is not among the manifests"
    return Cut.STOPPED, "no instance"


def _freezes(reference: Reference, item: Item) -> bool:
    return _is_launcher(reference, item) and pod.has_freeze_hook(item)


def _is_launcher(reference: Reference, item: Item) -> bool:
    return reference.is_of(pod.RESOURCE) and pod.is_launcher(item)


def _errors(parts: Iterable[Reference], around: _Surroundings) -> Iterator[str]:
    blocks = {id(block): block for part in parts if (block := around.blocks.get(part))}
    for block in blocks.values():
        yield from block.errors
    for part in parts:
        if part in around.backup.items and (error := around.backup.items[part].error):
            yield error
        result = around.results.get(part)
        if result and result.result is RestoreResult.FAILED:
            yield result.why


def _missing(parts: Iterable[Reference], around: _Surroundings) -> Iterator[Reference]:
    for part in parts:
        for needed in around.results[part].missing if part in around.results else ():
            claim = persistent_volume_claim.RESOURCE.named(needed.namespace, needed.name)
            if needed.is_of(data_volume.RESOURCE) and claim in around.stored:
                continue  # CDI removes the DataVolume of a claim that it has filled
            yield needed
