"""The state of a restored virtual machine's disks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stillpoint.actions import surroundings
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.resources.disks import data_volume, persistent_volume_claim, storage_class, volume
from stillpoint.resources.machines import virtual_machine


@dataclass(frozen=True, slots=True)
class DiskState:
    """The state of a claim of a machine.

    Attributes:
        claim: its name.
        lacks: why a guest cannot use the claim yet, as in "db-data ..."; empty if ready.
        is_for_first_use: bound not before a pod of the machine needs the claim; Kubernetes keeps
            that pod waiting until the bytes are there.
        is_lost: nothing will bring what the claim lacks.
    """

    claim: str
    lacks: str = ""
    is_for_first_use: bool = False
    is_lost: bool = False


def of_machine(machine: Item, cluster: Index) -> Sequence[DiskState]:
    """Disks that a machine's guest writes to, with its vTPM and EFI state."""
    namespace = it.namespace(machine)
    return [_disk(namespace, claim, cluster) for claim in _claims(machine, cluster)]


def may_start(found: Sequence[DiskState]) -> bool:
    """True if a machine with these disks can be started."""
    return all(not disk.lacks or disk.is_for_first_use for disk in found)


def _claims(machine: Item, cluster: Index) -> Sequence[str]:
    named = map(volume.disk_claim, virtual_machine.volumes(machine))
    state = map(it.name, surroundings.state_claims(cluster, machine))
    return list(dict.fromkeys(filter(None, (*named, *state))))


def _disk(namespace: str, name: str, cluster: Index) -> DiskState:
    claim = cluster.get_listed(persistent_volume_claim.RESOURCE, namespace, name)
    if claim is None:
        return DiskState(name, "does not exist")
    if it.is_being_deleted(claim):
        return DiskState(name, "is being deleted")
    phase = persistent_volume_claim.phase(claim)
    if phase != "Bound":
        waits = phase == "Pending" and _binds_at_first_use(claim, cluster)
        return DiskState(name, f"is {phase}", is_for_first_use=waits)
    return DiskState(name, "; ".join(_filling(namespace, name, cluster)))


def _binds_at_first_use(claim: Item, cluster: Index) -> bool:
    name = persistent_volume_claim.storage_class(claim)
    found = cluster.get(storage_class.RESOURCE, "", name) if name else None
    return found is not None and storage_class.binds_at_first_use(found)


def _filling(namespace: str, name: str, cluster: Index) -> Iterator[str]:
    filler = cluster.get_listed(data_volume.RESOURCE, namespace, name)
    if filler and not data_volume.is_populated(filler):
        yield f"is still being filled ({data_volume.trouble(filler)})"
