"""The contents of a snapshot by KubeVirt, and their level, as far as the cluster says.

Never more than that: the indication `GuestAgent` says that a freeze was attempted. KubeVirt 1.5 to
1.9 takes no disk before its freeze has returned without an error, so that the level is
`filesystem`, and its proof is `attempted`; only a record from inside the guest could prove it, or
show the level `application`. A field that is missing is never taken for a good one.

Source: pkg/storage/snapshot/snapshot.go of KubeVirt v1.5.3 to v1.9
(updateSnapshotSourceIndications, updateSnapshotStatus).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stillpoint.model import item as it
from stillpoint.model import quantity
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.resources.disks import volume
from stillpoint.resources.machines import virtual_machine
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot as snapshots
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot_content as contents
from stillpoint.resources.vm_snapshots.virtual_machine_snapshot_content import TakenDisk

OFFLINE = "no indications, as of a machine that was off"
_CRASH = ("NoGuestAgent", "QuiesceFailed", "QuiesceTimeout")
_KNOWN = (*_CRASH, "Online", "GuestAgent", "Paused", "PartialSnapshot")


class Proof(StrEnum):
    """The source of a level."""

    REPORTED = "reported"
    """KubeVirt's own word."""
    ATTEMPTED = "attempted"
    """KubeVirt froze the guest and heard of no error; nothing from inside the guest shows more."""
    NONE = "none"


class Standing(StrEnum):
    """The use of a snapshot for a restore."""

    READY = "ready"
    UNDER_WAY = "under way"
    FAILED = "failed"
    """It is not ready, and will not be."""
    UNKNOWN = "unknown"
    """KubeVirt has said nothing, or what nobody here knows."""


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """A snapshot with its content.

    Attributes:
        item: the VirtualMachineSnapshot.
        content: its content; None if there is none, or it was not found.
        machine: the machine as it is now; None if it is gone.
    """

    item: Item
    content: Item | None
    machine: Item | None

    @property
    def title(self) -> str:
        """`shop/db-20260101-120000`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    @property
    def phase(self) -> str:
        """KubeVirt's phase; `Unknown` as long as there is none."""
        return snapshots.phase(self.item) or "Unknown"

    @property
    def standing(self) -> Standing:
        """Ready, under way, failed or not known.

        KubeVirt leaves a snapshot `readyToUse` whose content somebody has deleted, and restores it
        no more: that has failed.
        """
        phase = snapshots.phase(self.item)
        if it.is_being_deleted(self.item) or phase in (snapshots.FAILED, snapshots.DELETING):
            return Standing.FAILED
        if phase == snapshots.SUCCEEDED and snapshots.is_ready(self.item):
            return Standing.READY if self.content else Standing.FAILED
        if phase == snapshots.SUCCEEDED:
            is_lost = any(disk.is_lost for disk in self.disks)
            return Standing.FAILED if is_lost else Standing.UNDER_WAY
        return Standing.UNDER_WAY if phase in ("", "InProgress") else Standing.UNKNOWN

    @property
    def indications(self) -> Sequence[tuple[str, str]]:
        """KubeVirt's words about the guest, each with its sentence, unknown ones as they are."""
        return snapshots.indications(self.item)

    @property
    def level(self) -> Level:
        """The level of its disks, in the words of the glossary."""
        if self.standing is not Standing.READY or not snapshots.has_volumes(self.item):
            return Level.UNKNOWN
        if not snapshots.included(self.item):
            return Level.NONE
        return _level({word for word, _sentence in self.indications})

    @property
    def proof(self) -> Proof:
        """The source of the level."""
        if self.level in (Level.UNKNOWN, Level.NONE):
            return Proof.NONE
        return Proof.ATTEMPTED if self.level is Level.FILESYSTEM else Proof.REPORTED

    @property
    def disks(self) -> Sequence[TakenDisk]:
        """The disks of the content."""
        return tuple(contents.disks(self.content)) if self.content else ()

    @property
    def left_out(self) -> Sequence[str]:
        """Volumes with data of a guest that the machine has now, or had, and the snapshot lacks."""
        own = [virtual_machine.volumes(one) for one in self._machines()]
        named = dict.fromkeys(it.text(each, "name") for one in own for each in _with_data(one))
        included = set(snapshots.included(self.item))
        return [name for name in named if name not in included]

    @property
    def size_bytes(self) -> int | None:
        """Size of its disks together; None if that is not known of all."""
        sizes = [_bytes(one.size) for one in self.disks]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None

    @property
    def taken_at(self) -> datetime | None:
        """The time at which all disks were taken, else that of the request."""
        return snapshots.taken_at(self.item) or it.creation_time(self.item)

    def why(self) -> str:
        """One sentence on the level, and on what the snapshot lacks."""
        if self.standing is Standing.FAILED and snapshots.is_ready(self.item) and not self.content:
            return "KubeVirt calls it ready, and its content with the machine and its disks is gone"
        if self.standing is Standing.FAILED:
            return snapshots.trouble(self.item) or "KubeVirt gives no reason"
        words = [word for word, _sentence in self.indications]
        said = [", ".join(words) or (OFFLINE if self.level is Level.STOPPED else "")]
        if self.standing is not Standing.READY:
            said.append(snapshots.trouble(self.item))
        elif not snapshots.has_volumes(self.item):
            said.append("KubeVirt does not say which volumes are in it")
        if self.left_out and snapshots.has_volumes(self.item):
            said.append(f"without {', '.join(self.left_out)}")
        return "; ".join(filter(None, said))

    def _machines(self) -> Iterable[Item]:
        taken = contents.machine(self.content) if self.content else {}
        for one in (taken, self.machine or {}):
            if it.mapping(one, "spec", "template", "spec"):
                yield one


def _level(words: set[str]) -> Level:
    """The level by KubeVirt's indications; the worst of them decides."""
    if words - set(_KNOWN):
        return Level.UNKNOWN
    if "Paused" in words:
        return Level.PAUSED
    if words & set(_CRASH):
        return Level.CRASH
    if {"Online", "GuestAgent"} <= words:
        return Level.FILESYSTEM
    return Level.UNKNOWN if words - {"PartialSnapshot"} else Level.STOPPED


def _with_data(volumes: Sequence[Item]) -> Iterable[Item]:
    return (one for one in volumes if volume.disk_claim(one) or volume.unsaved_kind(one))


def _bytes(size: str) -> int | None:
    try:
        return int(quantity.parse(size))
    except ValueError:
        return None
