"""A machine of a backup with its disks, and all that the backup says of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stillpoint.actions.restore.selection import machines
from stillpoint.backup_files import disk_data
from stillpoint.backup_files.disk_data import DiskData
from stillpoint.backup_files.stored import StoredObjects
from stillpoint.evidence import document
from stillpoint.evidence.document import Evidence
from stillpoint.evidence.sealed import Key
from stillpoint.evidence.verified import Verification
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.reference import Reference
from stillpoint.report import levels
from stillpoint.report.contents import Contents
from stillpoint.resources.disks import volume
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance


class Doubt(StrEnum):
    """The reason why no evidence of a disk can be believed."""

    NONE = "evidence is believed"
    ABSENT = "there is none"
    UNCHECKED = "the key of its seal is not known"
    SEAL = "it does not bear the seal of the backup"
    OTHER = "it is of another disk"


@dataclass(frozen=True, slots=True)
class StoredDisk:
    """A disk of a machine in the backup.

    Attributes:
        name: of the machine's volume, else of the claim.
        evidence: None unless it is believed.
        shared_with: names of further machines with that disk.
    """

    name: str
    data: DiskData
    evidence: Evidence | None
    doubt: Doubt
    shared_with: tuple[str, ...]

    @property
    def claim(self) -> Reference:
        """The claim of the disk."""
        return self.data.claim

    @property
    def is_taken(self) -> bool:
        """True if the backup has bytes of the disk, or may have."""
        return self.data.is_taken

    @property
    def level(self) -> Level:
        """The level by evidence that is believed."""
        if not self.is_taken:
            return Level.NONE
        return self.evidence.level if self.evidence else Level.UNKNOWN


@dataclass(frozen=True, slots=True)
class Case:
    """A machine.

    Attributes:
        reference: of the VirtualMachine, or of the VirtualMachineInstance that stands alone.
        machine: the stored object.
        instance: the stored instance; None if there is none.
        missing: objects of its namespace that it needs and the backup does not hold.
        read_at: the moment of the report.
        demanded: the level that somebody demanded; None if nobody did.
        expected: the least level that is good.
    """

    contents: Contents
    reference: Reference
    machine: Item
    instance: Item | None
    disks: tuple[StoredDisk, ...]
    missing: tuple[Reference, ...]
    read_at: datetime
    level: Level
    demanded: Level | None
    expected: Level

    @property
    def volumes(self) -> Sequence[Item]:
        """Its volumes of all kinds; those that its guest has too are there twice."""
        return _volumes(self.machine, self.instance)

    @property
    def data(self) -> Iterator[DiskData]:
        """The data of its disks."""
        return (disk.data for disk in self.disks)

    @property
    def verification(self) -> Verification | None:
        """The newest verification of the machine; None if it was never restored for a test."""
        title = f"{self.reference.namespace}/{self.reference.name}"
        return self.contents.verifications.get(title)

    @property
    def taken(self) -> Sequence[StoredDisk]:
        """The disks of which the backup has bytes, or may have."""
        return [disk for disk in self.disks if disk.is_taken]

    @property
    def evidences(self) -> Sequence[Evidence]:
        """The evidence that is believed."""
        return [disk.evidence for disk in self.disks if disk.evidence]


def references(objects: StoredObjects) -> Iterator[Reference]:
    """The machines of a backup: VirtualMachines, and instances that stand alone."""
    resources = virtual_machine.RESOURCE, virtual_machine_instance.RESOURCE
    for namespace in sorted({one for each in resources for one in objects.namespaces(each)}):
        yield from _references(objects, namespace)


def _references(objects: StoredObjects, namespace: str) -> Sequence[Reference]:
    """The machines of a namespace; an instance that cannot be read is taken for one."""
    stored = objects.references(virtual_machine.RESOURCE, namespace)
    names = {one.name for one in stored}
    instances = objects.references(virtual_machine_instance.RESOURCE, namespace)
    alone = [one for one in instances if one.name not in names and _stands_alone(one, objects)]
    return [*stored, *alone]


def _stands_alone(instance: Reference, objects: StoredObjects) -> bool:
    try:
        return not virtual_machine_instance.is_owned(objects.get(instance) or {})
    except MalformedItem:
        return True


Sharing = Mapping[Reference, Sequence[str]]
"""Names of the machines that each claim is a disk of."""


@dataclass(frozen=True, slots=True)
class _Around:
    """Facts common to the disks of a machine of this name."""

    machine: str
    contents: Contents
    objects: StoredObjects
    sharing: Sharing


def of_machine(
    reference: Reference, contents: Contents, objects: StoredObjects, now: datetime
) -> Case:
    """The case of a stored machine.

    Raises:
        MalformedItem: an object of it is not what the Kubernetes API makes.
    """
    machine = objects.get(reference) or {}
    instance = _instance(reference, objects)
    around = _Around(reference.name, contents, objects, _sharing(reference.namespace, objects))
    disks = tuple(_disk(name, claim, around) for name, claim in _claims(machine, instance, objects))
    demanded = levels.demanded(machine, (disk.evidence for disk in disks))
    return Case(
        contents=contents,
        reference=reference,
        machine=machine,
        instance=instance,
        disks=disks,
        missing=tuple(_missing(machine, objects)),
        read_at=now,
        level=levels.of_machine(reference.name, (one.evidence for one in disks if one.is_taken)),
        demanded=demanded,
        expected=demanded or levels.expected(instance),
    )


def _instance(reference: Reference, objects: StoredObjects) -> Item | None:
    resource = virtual_machine_instance.RESOURCE
    return objects.get(resource.named(reference.namespace, reference.name))


def _claims(
    machine: Item, instance: Item | None, objects: StoredObjects
) -> Iterator[tuple[str, Reference]]:
    """Each disk of a machine: the name of its volume, and its claim."""
    namespace, seen = it.namespace(machine), set()
    for one in _volumes(machine, instance):
        name = volume.disk_claim(one)
        if name and name not in seen:
            seen.add(name)
            yield it.text(one, "name"), kinds.CLAIM.named(namespace, name)
    for claim in machines.state_claims(machine, objects):
        if claim.name not in seen:
            yield claim.name, claim


def _volumes(machine: Item, instance: Item | None) -> Sequence[Item]:
    """The volumes of a machine, then those of its guest, among them hot-plugged ones."""
    is_machine = machine.get("kind") == virtual_machine.RESOURCE.kind
    return [
        *(virtual_machine.volumes(machine) if is_machine else ()),
        *(virtual_machine_instance.volumes(instance) if instance else ()),
    ]


def _sharing(namespace: str, objects: StoredObjects) -> Sharing:
    """The machines of a namespace by their claims; read once."""

    def find() -> Sharing:
        found: dict[Reference, list[str]] = {}
        for one in _references(objects, namespace):
            with suppress(MalformedItem):  # its own report says so
                machine = objects.get(one) or {}
                for _name, claim in _claims(machine, _instance(one, objects), objects):
                    found.setdefault(claim, []).append(one.name)
        return found

    return objects.once(("machines by claim", namespace), find)


def _missing(machine: Item, objects: StoredObjects) -> Iterator[Reference]:
    """Needed objects that the backup lacks; disks are judged by their claims."""
    for one in machines.needs(machine, objects):
        if not machines.is_data(one) and not objects.holds(one):
            yield one


def _disk(name: str, claim: Reference, around: _Around) -> StoredDisk:
    contents = around.contents
    data = disk_data.of(claim, around.objects, contents.books)
    evidence, doubt = _evidence(data, contents.keys)
    if evidence and not _is_of(evidence, data.item, around.machine):
        evidence, doubt = None, Doubt.OTHER
    sharing = around.sharing.get(claim, ())
    shared_with = tuple(one for one in sharing if one != around.machine)
    return StoredDisk(name, data, evidence, doubt, shared_with)


def _evidence(data: DiskData, keys: Collection[Key]) -> tuple[Evidence | None, Doubt]:
    """The evidence on what holds the bytes of a claim, or why there is none."""
    holder = data.upload or data.snapshot
    if holder is None or document.ANNOTATION not in it.annotations(holder):
        return None, Doubt.ABSENT
    for key in keys:
        if found := _believed(holder, key):
            uid = "" if data.upload else it.uid(holder)
            is_here = key.is_uid or found.snapshot == uid
            return (found, Doubt.NONE) if is_here else (None, Doubt.OTHER)
    is_lacking = all(key.is_uid for key in keys) and document.wants_secret(holder)
    return None, Doubt.UNCHECKED if is_lacking or not keys else Doubt.SEAL


def _is_of(evidence: Evidence, claim: Item | None, machine: str) -> bool:
    """True if evidence is of this disk of this machine.

    Who may write snapshots can copy the evidence of one disk to the snapshot of another, seal and
    all.
    """
    is_of_claim = claim is not None and evidence.claim.uid == it.uid(claim)
    return is_of_claim and machine in (evidence.machine.name, *evidence.shared_with)


def _believed(holder: Item, key: Key) -> Evidence | None:
    try:
        return document.of(holder, key)
    except MalformedItem:
        return None
