"""Observations of one guest in one backup, and of the snapshots of its disks.

The plugin makes them while Velero backs the guest up, and stores them for the process that comes
after it: as the annotation `OBSERVED` of one of the guest's VolumeSnapshots or DataUploads, and as
`CUT` of each. `rules` makes the evidence of them.

Each time is of one clock, which its attribute names. Clocks of two machines may differ by seconds
and more, so times of different clocks are never compared without a measurement:

    asked, received, began, sent, …    the plugin's, which is Velero's
    stamped                            the node's
    created                            the storage driver's

Nothing counts as good because it is missing: a default says "not known".
"""

import threading
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from stillpoint.evidence import sealed
from stillpoint.evidence.console import ConsoleLine
from stillpoint.evidence.document import Span, Statement, Subject
from stillpoint.evidence.sealed import Key
from stillpoint.model.item import Item

OBSERVED = "stillpoint.dev/observed"
CUT = "stillpoint.dev/cut"

_one_at_a_time = threading.Lock()
"""msgspec looks into a class when it first meets it, and two threads that do so at once end the
process (0.22)."""

MOST_LOOKS = 24
MOST_LINES = 12
MOST_WATCHES = 8
"""So many are stored; whoever has more stores the first and counts the others as `dropped`."""


@dataclass(frozen=True, slots=True)
class State:
    """An instance as the API server had it. All is empty if there was none.

    Attributes:
        launchers: uids of its launcher pods, sorted (`status.activePods`).
        node: `status.nodeName`.
        agent_since: `lastProbeTime` or else `lastTransitionTime` of the condition AgentConnected,
            `yes` if the condition has neither; empty if the agent is not connected. Its value says
            nothing, but another one says that the agent was away.
        paused_since: the same of the condition Paused.
        is_frozen: `status.fsFreezeStatus`, which is up to six seconds old.
        os: `status.guestOSInfo.id`; empty if not known.
        machine_version: `metadata.resourceVersion` of its VirtualMachine, if that was read.
        attachments: uids of the pods that attach its disks, sorted (`hotplugVolume.attachPodUID`).
            Empty while a further pod does not yet attach its own: KubeVirt tells none of them then.
    """

    uid: str = ""
    phase: str = ""
    launchers: tuple[str, ...] = ()
    node: str = ""
    agent_since: str = ""
    paused_since: str = ""
    is_frozen: bool = False
    is_migrating: bool = False
    machine_version: str = ""
    os: str = ""
    attachments: tuple[str, ...] = ()

    @property
    def is_off(self) -> bool:
        """True if no guest runs, nor may be about to."""
        return not self.uid or self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Look:
    """A response, or an event of a watch, with the state of the instance.

    Attributes:
        received: plugin's clock; the state was so at some moment before.
        asked: plugin's clock; the state was so at some moment after. None for an event.
    """

    received: datetime
    state: State
    asked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A line of the console as it was received.

    Attributes:
        received: plugin's clock; the line was written before.
        is_live: true if it was received as it was written, and not from what the log held already
            when it was asked for: its request asked for no older lines, or had been silent for a
            quarter of a second before it.
    """

    line: ConsoleLine
    received: datetime
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Thaw:
    """A request of this plugin that thaws the guest, right after it saw nobody else at work.

    Attributes:
        sent: plugin's clock, before the request.
        answered: plugin's clock; None if it failed, or whether it did is not known.
    """

    sent: datetime
    answered: datetime | None = None


@dataclass(frozen=True, slots=True)
class Observations:
    """Observations of a guest.

    The attributes from `is_hook_failed` on are looked up after the backup's main phase.

    Attributes:
        machine: the VirtualMachine, or the instance that none owns.
        started: when the backup began (`Backup.status.startTimestamp`), plugin's clock.
        began: when the plugin first saw this guest in this backup, plugin's clock.
        is_before_hook: true if that was before Velero ran the guest's pre hook, as in the item
            block's action.
        has_hook: true if Velero runs KubeVirt's freeze and thaw in the guest's launcher pod: it
            has their annotations, and is in the backup. None if not known.
        has_console: true if the launcher pod keeps the log of the console. None if not known.
        looks: in the order of receipt.
        watches: times for which a watch of the instance missed nothing, plugin's clock; each
            change in them is one of `looks`.
        lines: in the order of receipt, each once.
        thaws: by this plugin.
        dropped: looks, lines and the like for which there was no room.
        is_hook_failed: true if a hook of this guest failed; None if not known.
        safety_thaws: KubeVirt's lines of its own thaws since the backup began, node's clock; None
            if the log was not read.
        others: other programs that may have frozen or thawed the guest up to the last snapshot, for
            people: `VirtualMachineSnapshot nightly`. None if nobody looked.
        lacks: reads that failed, each with its cause, such as the right that is missing.
        version: `metadata.resourceVersion` of the instance at the end of the last of `watches`.
        later: when other backups began that may have frozen the guest after the last snapshot, and
            before its status had settled; in whole seconds, rounded down. None if nobody looked.
    """

    namespace: str
    machine: Subject
    started: datetime
    began: datetime
    is_before_hook: bool = False
    has_hook: bool | None = None
    has_console: bool | None = None
    looks: tuple[Look, ...] = ()
    watches: tuple[Span, ...] = ()
    lines: tuple[Heard, ...] = ()
    thaws: tuple[Thaw, ...] = ()
    dropped: int = 0
    is_hook_failed: bool | None = None
    safety_thaws: tuple[datetime, ...] | None = None
    others: tuple[str, ...] | None = None
    lacks: tuple[Statement, ...] = ()
    version: str = ""
    later: tuple[datetime, ...] | None = None


class Method(StrEnum):
    """How the bytes of a disk come into the backup."""

    SNAPSHOT = "snapshot"
    MOVED = "moved"
    """By a snapshot whose data goes to the object store."""
    FILES = "files"
    NATIVE = "native"
    """By Velero's own plugins for volumes, which say nothing of their moment."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The moment at which the snapshot of a disk was cut.

    Attributes:
        claim: whoever reads an annotation compares it with the claim of the object that has it.
        not_before: plugin's clock; before the snapshot was asked for. None if not known.
        not_after: plugin's clock; after the storage was seen to have it. None if not known.
        in_block_of: names of machines in whose guest's item block Velero takes the claim, hence
            after the pre hook of that guest, as far as is known.
        created: by the driver's clock, which says nothing of the order (docs/evidence.md).
        shared_with: names of other machines whose guests write to the disk.
        machines: names of all of them, as far as is known when it is stored.
        pods: names of other pods that may write to the disk, which nobody freezes; looked up after
            the backup's main phase.
        snapshot: uid of the VolumeSnapshot that holds the bytes: whoever reads it compares that,
            too. Empty if a DataUpload does, which is in Velero's namespace.
        uploaded: plugin's clock; right before this plugin asked for its DataUpload, long after the
            snapshot maybe. None for all else that holds bytes, which is made between both bounds.
    """

    claim: Subject
    not_before: datetime | None
    not_after: datetime | None
    method: Method = Method.SNAPSHOT
    in_block_of: tuple[str, ...] = ()
    driver: str = ""
    handle: str = ""
    created: datetime | None = None
    shared_with: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    snapshot: str = ""
    pods: tuple[str, ...] = ()
    uploaded: datetime | None = None


Stored = TypeVar("Stored", Observations, Cut)


def to_annotation(stored: Observations | Cut, key: Key) -> str:
    """The value of `OBSERVED` or `CUT`, under the backup's seal."""
    annotation = OBSERVED if isinstance(stored, Observations) else CUT
    return sealed.text(annotation, _compact(stored), key)


def observed(item: Item, key: Key) -> Observations | None:
    """The observations on a VolumeSnapshot or DataUpload; None if there are none.

    Raises:
        MalformedItem: the annotation is not of a version that is known, or does not bear the seal
            of this backup.
    """
    return sealed.read(OBSERVED, item, key, partial(_convert, Observations))


def cut(item: Item, key: Key) -> Cut | None:
    """The cut on a VolumeSnapshot or DataUpload; None if there is none.

    Raises:
        MalformedItem: see `observed`.
    """
    return sealed.read(CUT, item, key, partial(_convert, Cut))


def _convert(kind: type[Stored], document: Item) -> Stored:
    import msgspec  # noqa: PLC0415 - a rehearsal, which stores nothing, does without

    with _one_at_a_time:
        return msgspec.convert(document, kind)


def _compact(value: Any) -> Any:
    """The value as JSON has it, without what is as by default."""
    import msgspec  # noqa: PLC0415

    if is_dataclass(value):
        found = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: _compact(one) for field, one in found if one != field.default}
    if isinstance(value, tuple):
        return list(map(_compact, value))
    return msgspec.to_builtins(value)
