"""The volumes of a machine, and what a snapshot by KubeVirt would do with each.

KubeVirt waits for a disk that is not bound or not populated until its deadline, and then fails. A
disk whose storage has no snapshot class it leaves out in silence: the snapshot succeeds without it.

Source: pkg/storage/snapshot of KubeVirt v1.9 (Lock, verifyVolumes, getSnapshotPVC,
getVolumeSnapshotClassName), cdi-api IsPopulated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.disks import (
    data_volume,
    persistent_volume_claim,
    storage_class,
    storage_profile,
    volume,
)
from stillpoint.resources.machines import (
    persistent_state,
    virtual_machine,
    virtual_machine_instance,
)
from stillpoint.velero.volumes import volume_snapshot_class
from stillpoint.vm_snapshots.facts import MachineFacts

STATE = "persistent-state-for"
"""Prefix of the volume's name that KubeVirt gives the claim with vTPM and EFI state."""

_DEFAULT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
_MEMORY_DUMP = ("memoryDump", "claimName")


class Outlook(StrEnum):
    """A snapshot's treatment of a volume."""

    TAKEN = "taken"
    NO_DATA = "no data"
    """Nothing that a guest has written: cloud-init, container images, empty disks."""
    MISSING = "missing"
    BEING_DELETED = "being deleted"
    NOT_BOUND = "not bound"
    NOT_POPULATED = "not populated"
    CLASS_UNDECIDED = "several snapshot classes"
    NO_STORAGE_CLASS = "no storage class"
    NO_SNAPSHOT_CLASS = "no snapshot class"
    ON_NODE = "on the node"
    PLUGGED_ONLY = "not in the specification"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Disk:
    """A volume of a machine.

    Attributes:
        volume: its name in the machine's specification, or in the instance's.
        claim: name of its claim; empty for a volume without one.
    """

    volume: str
    claim: str
    outlook: Outlook


def of(facts: MachineFacts) -> Sequence[Disk]:
    """Every volume of the machine and its guest, each once, in their order."""
    own = [_disk(one, facts) for one in virtual_machine.volumes(facts.machine)]
    named = {one.volume for one in own}
    return [*own, *_state(facts), *_plugged(facts, named)]


def _disk(entry: Item, facts: MachineFacts) -> Disk:
    name = it.text(entry, "name")
    claim = volume.disk_claim(entry) or it.text(entry, *_MEMORY_DUMP)
    if claim:
        return Disk(name, claim, _outlook(claim, facts))
    return Disk(name, "", Outlook.ON_NODE if volume.unsaved_kind(entry) else Outlook.NO_DATA)


def _state(facts: MachineFacts) -> Iterator[Disk]:
    """The claim with vTPM and EFI state, which KubeVirt takes as a volume of its own name."""
    claims = [
        one
        for one in facts.around.all_of(persistent_volume_claim.RESOURCE)
        if facts.name in persistent_volume_claim.machines_with_state(one)
        and not it.is_being_deleted(one)
    ]
    specification = persistent_state.template(facts.machine)
    if not persistent_state.is_kept(facts.machine, [specification], bool(claims)):
        return
    name = f"{STATE}-{facts.name}"
    newest = max(
        claims, key=lambda one: it.text(one, "metadata", "creationTimestamp"), default=None
    )
    if newest is None:
        yield Disk(name, "", Outlook.MISSING)
    else:
        yield Disk(name, it.name(newest), _outlook(it.name(newest), facts))


def _plugged(facts: MachineFacts, named: set[str]) -> Iterator[Disk]:
    """Hot-plugged disks that the running guest alone has: KubeVirt's snapshots lack them."""
    for entry in virtual_machine_instance.volumes(facts.instance) if facts.instance else ():
        if it.text(entry, "name") not in named and volume.disk_claim(entry):
            yield Disk(it.text(entry, "name"), volume.disk_claim(entry), Outlook.PLUGGED_ONLY)


def _outlook(name: str, facts: MachineFacts) -> Outlook:
    claim = facts.around.get(persistent_volume_claim.RESOURCE, name)
    if claim is None:
        return Outlook.MISSING
    if it.is_being_deleted(claim):
        return Outlook.BEING_DELETED
    if not persistent_volume_claim.is_bound(claim):
        return Outlook.NOT_BOUND
    if (owner := persistent_volume_claim.data_volume(claim)) and not _is_filled(owner, facts):
        return Outlook.NOT_POPULATED
    return _class_outlook(claim, facts)


def _is_filled(name: str, facts: MachineFacts) -> bool:
    """As KubeVirt asks: a DataVolume that is gone, or has no status, has not filled its claim."""
    owner = facts.around.get(data_volume.RESOURCE, name)
    return owner is not None and it.text(owner, "status", "phase") == "Succeeded"


def _class_outlook(claim: Item, facts: MachineFacts) -> Outlook:
    around, name = facts.around, persistent_volume_claim.storage_class(claim)
    if not name:
        return Outlook.NO_STORAGE_CLASS
    decisive = (
        storage_class.RESOURCE, storage_profile.RESOURCE, volume_snapshot_class.RESOURCE
    )  # fmt: skip
    if any(one in around.unread for one in decisive):
        return _as_kubevirt_says(claim, facts)
    found = around.named(storage_class.RESOURCE, name)
    profile = around.named(storage_profile.RESOURCE, name)
    if found is None:
        return Outlook.NO_SNAPSHOT_CLASS
    if wanted := storage_profile.snapshot_class(profile or {}):
        exists = around.named(volume_snapshot_class.RESOURCE, wanted) is not None
        return Outlook.TAKEN if exists else Outlook.NO_SNAPSHOT_CLASS
    driver = storage_class.provisioner(found)
    classes = around.everywhere[volume_snapshot_class.RESOURCE]
    fitting = volume_snapshot_class.of_driver(classes, driver)
    if len(fitting) > 1 and not any(_DEFAULT_CLASS in it.annotations(one) for one in fitting):
        return Outlook.CLASS_UNDECIDED
    return Outlook.TAKEN if fitting else Outlook.NO_SNAPSHOT_CLASS


def _as_kubevirt_says(claim: Item, facts: MachineFacts) -> Outlook:
    """The machine's status, for an account that may not read storage classes.

    The status says of each volume whether its storage has a snapshot class; a volume that the
    status does not name is not known.
    """
    volumes = (
        it.text(entry, "name")
        for entry in virtual_machine.volumes(facts.machine)
        if it.name(claim) in (volume.disk_claim(entry), it.text(entry, *_MEMORY_DUMP))
    )
    name = next(volumes, f"{STATE}-{facts.name}")
    enabled = virtual_machine.snapshot_support(facts.machine).get(name)
    if enabled is None:
        return Outlook.UNKNOWN
    return Outlook.TAKEN if enabled else Outlook.NO_SNAPSHOT_CLASS
