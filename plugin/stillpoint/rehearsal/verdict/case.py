"""A virtual machine, and all that a rehearsal knows around it."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import snapshots, velero_actions
from stillpoint.rehearsal.velero_steps.backup import BackupContents
from stillpoint.rehearsal.velero_steps.blocks import Block
from stillpoint.rehearsal.velero_steps.restore import Restoration, RestoredItem
from stillpoint.rehearsal.velero_steps.selection import Selection
from stillpoint.rehearsal.verdict.destination import Destination
from stillpoint.rehearsal.verdict.ended_backup import EndedBackup
from stillpoint.resources.disks import persistent_volume_claim, volume
from stillpoint.resources.machines import pod, virtual_machine, virtual_machine_instance
from stillpoint.velero import own_objects, server
from stillpoint.velero.request import Restore
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes.fates import Fates


class Role(StrEnum):
    """The guest's use of a claim."""

    DISK = "disk"
    HOT_PLUGGED = "hot-plugged disk"
    STATE = "vTPM and EFI state"


@dataclass(frozen=True, slots=True)
class Disk:
    """A claim that the guest, or KubeVirt for it, writes to.

    Attributes:
        is_lasting: true if the specification of the machine names the claim, so that a restart
            keeps it.
    """

    claim: Reference
    role: Role
    is_lasting: bool

    @property
    def name(self) -> str:
        """Name of the claim."""
        return self.claim.name


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts common to all cases of a rehearsal.

    Attributes:
        request: the Backup object.
        blocks: the block of each item.
        restored: the restore's result for each stored item.
        mounting: pods that mount each claim, left out of the backup or not.
        state_claims: claims with vTPM and EFI state, by namespace and machine.
        running: other backups in progress, each with its selection.
        restore: the requested restore.
        target: existing objects of the target.
        server: the Deployment of Velero's server; None if it was not read.
        destination: of a finished backup, where it would be restored; None of a backup that is
            rehearsed.
        ended: the finished backup as a whole; None of a backup that is rehearsed.
    """

    known: Known
    selection: Selection
    request: Item
    backup: BackupContents
    blocks: Mapping[Reference, Block]
    restored: Mapping[Reference, RestoredItem]
    mounting: Mapping[Reference, Sequence[Item]]
    fates: Fates
    state_claims: Mapping[tuple[str, str], tuple[Reference, ...]]
    running: tuple[tuple[Item, Filters], ...]
    by_resource: Mapping[str, Sequence[Item]]
    restore: Restore
    target: Container[Reference]
    server: Item | None
    destination: Destination | None = None
    ended: EndedBackup | None = None

    @classmethod
    def of(
        cls,
        known: Known,
        selection: Selection,
        request: Item,
        backup: BackupContents,
        restoration: Restoration,
    ) -> "Surroundings":
        """Indexes objects, once for all machines."""
        blocks = {reference: block for block in backup.blocks for reference in block.items}
        results = {one.reference: one for one in restoration.items}
        state: dict[tuple[str, str], tuple[Reference, ...]] = {}
        by_resource: dict[str, list[Item]] = {}
        for reference, item in selection.cluster.items():
            by_resource.setdefault(reference.group_resource, []).append(item)
            if reference.is_of(persistent_volume_claim.RESOURCE):
                for machine in persistent_volume_claim.machines_with_state(item):
                    key = (reference.namespace, machine)
                    state[key] = (*state.get(key, ()), reference)
        running = tuple(
            (item, Filters.parse(item, known.discovery))
            for item in by_resource.get(str(own_objects.BACKUP), ())
            if own_objects.is_running(item) and it.name(item) != it.name(request)
        )
        restore, target = Restore.parse(restoration.asked), restoration.target
        mounting = snapshots.mounting(selection)
        fates = snapshots.fates_of(selection, request, mounting)
        return cls(
            known, selection, request, backup, blocks, results, mounting, fates, state, running,
            by_resource, restore, target, server.find(it.namespace(request), known.objects),
        )  # fmt: skip

    @property
    def cluster(self) -> Mapping[Reference, Item]:
        """Every object that is known."""
        return self.selection.cluster

    def knows(self, reference: Reference) -> bool:
        """True if the object exists, or is known not to."""
        is_known = reference.group_resource in self.known.complete
        return is_known or reference in self.cluster

    def all_of(self, resource: Resource) -> Sequence[Item]:
        """Every object of a resource."""
        return self.by_resource.get(str(resource), ())


Answer = TypeVar("Answer")


def once(fact: Callable[["Case"], Answer]) -> Callable[["Case"], Answer]:
    """Computes a fact once per machine, for several reasons; machines are judged in turn."""
    return lru_cache(maxsize=1)(fact)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A machine.

    Attributes:
        machine: the VirtualMachine, or a VirtualMachineInstance that stands alone.
        instance: the running guest; None if the machine has none, or none is known.
        block: items that the backup takes between the same hooks as the machine.
        parts: the machine and all its objects, each once.
    """

    reference: Reference
    machine: Item
    instance: Item | None
    disks: tuple[Disk, ...]
    block: tuple[Reference, ...]
    parts: tuple[Reference, ...]
    around: Surroundings

    @classmethod
    def of(cls, reference: Reference, around: Surroundings) -> "Case":
        """The case of a machine.

        Raises:
            MalformedItem: the machine or its instance cannot be read.
        """
        cluster = around.cluster
        machine = cluster[reference]
        alike = virtual_machine_instance.RESOURCE.named(reference.namespace, reference.name)
        instance = cluster.get(alike)
        disks = tuple(_disks(reference, machine, instance, around))
        block = around.blocks[reference].items if reference in around.blocks else ()
        needed = [*_needs(machine, instance), *(disk.claim for disk in disks)]
        parts = tuple(dict.fromkeys(_parts(reference, block, needed, cluster)))
        return cls(reference, machine, instance, disks, block, parts, around)

    @property
    def is_instance(self) -> bool:
        """True if the instance stands alone, without a VirtualMachine."""
        return self.reference.is_of(virtual_machine_instance.RESOURCE)

    @property
    def specification(self) -> Item:
        """The guest's specification."""
        if self.is_instance:
            return it.mapping(self.machine, "spec")
        return virtual_machine.template(self.machine)

    @property
    def volumes(self) -> Iterator[Item]:
        """Each volume once, of the machine and of its instance."""
        seen = set()
        for entry in _volumes(self.machine, self.instance):
            if it.text(entry, "name") not in seen:
                seen.add(it.text(entry, "name"))
                yield entry

    @property
    def launchers(self) -> tuple[Reference, ...]:
        """Pods of the block in which a guest runs."""
        cluster = self.around.cluster
        return tuple(
            one for one in self.block if one.is_of(pod.RESOURCE) and pod.is_launcher(cluster[one])
        )

    @property
    def needs(self) -> Iterator[Reference]:
        """Objects of its namespace that the machine's own specification needs."""
        return _needs(self.machine, self.machine if self.is_instance else None)

    def claim(self, disk: Disk) -> Item | None:
        """The claim of a disk; None if it is not known."""
        return self.around.cluster.get(disk.claim)


def _needs(machine: Item, instance: Item | None) -> Iterator[Reference]:
    if machine.get("kind") == virtual_machine.RESOURCE.kind:
        yield from virtual_machine.references(machine)
    if instance:
        yield from virtual_machine_instance.references(instance)


def _volumes(machine: Item, instance: Item | None) -> Iterator[Item]:
    if machine.get("kind") == virtual_machine.RESOURCE.kind:
        yield from virtual_machine.volumes(machine)
    yield from virtual_machine_instance.volumes(instance) if instance else ()


def _disks(
    reference: Reference, machine: Item, instance: Item | None, around: Surroundings
) -> Iterator[Disk]:
    hot = virtual_machine_instance.hotplugged_volumes(instance or {})
    own = machine if machine.get("kind") == virtual_machine.RESOURCE.kind else instance
    lasting = {volume.disk_claim(one) for one in (_volumes(own, None) if own is machine else ())}
    seen = set()
    for entry in _volumes(machine, instance):
        name = volume.disk_claim(entry)
        if name and name not in seen:
            seen.add(name)
            role = Role.HOT_PLUGGED if it.text(entry, "name") in hot else Role.DISK
            claim = persistent_volume_claim.RESOURCE.named(reference.namespace, name)
            is_lasting = name in lasting or (own is instance and role is Role.DISK)
            yield Disk(claim, role, is_lasting)
    for claim in around.state_claims.get((reference.namespace, reference.name), ()):
        if claim.name not in seen:
            yield Disk(claim, Role.STATE, is_lasting=True)


def _parts(
    reference: Reference,
    block: Iterable[Reference],
    needed: Iterable[Reference],
    cluster: Mapping[Reference, Item],
) -> Iterator[Reference]:
    for part in (reference, *block, *needed):
        yield part
        if part.is_of(persistent_volume_claim.RESOURCE) and part in cluster:
            yield from velero_actions.additional_items(part, cluster[part])
