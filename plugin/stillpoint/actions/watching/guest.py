"""The guest of an instance, with all that this process has seen of it in one backup."""

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from stillpoint.evidence.console import State as Line
from stillpoint.evidence.document import Span, Statement
from stillpoint.evidence.observations import (
    MOST_LINES,
    MOST_LOOKS,
    MOST_WATCHES,
    Heard,
    Look,
    Observations,
    State,
    Thaw,
)
from stillpoint.model.reference import Reference, Resource

SETTLED = timedelta(seconds=10)
"""After a release or a thaw: what is printed or changes because of it has been received."""

_QUIET = timedelta(minutes=1)
"""After the last snapshot of a guest that nothing has frozen."""

_MARGIN = timedelta(seconds=10)
"""For a request that is long on its way to the node."""

LONGEST = timedelta(minutes=30)
"""Of a watch: up to ten item blocks wait for each other."""


class Holder(NamedTuple):
    """An object that holds the bytes of a disk: its VolumeSnapshot or DataUpload."""

    resource: Resource
    namespace: str
    name: str


Kept = TypeVar("Kept")


class WatchedGuest:
    """Observations of a guest, to which threads add.

    Attributes:
        instance: namespace and name of the instance.
        launcher: its launcher pod; None if that was not found.
        claims: names of its disks.

    Args:
        first: what is known at the beginning.
    """

    def __init__(
        self,
        first: Observations,
        instance: tuple[str, str],
        launcher: Reference | None,
        claims: Collection[str],
    ) -> None:
        self.instance = instance
        self.launcher = launcher
        self.claims = frozenset(claims)
        self._first = first
        self._lock = threading.Lock()
        self._looks: list[Look] = list(first.looks)
        self._now = first.looks[-1].state if first.looks else State()
        self._watches: list[Span] = []
        self._version = ""
        self._lines: list[Heard] = []
        self._thaws: list[Thaw] = []
        self._lacks: list[Statement] = list(first.lacks)
        self._holders: list[Holder] = []
        self._dropped = 0
        self._last_call = first.began  # of the guest's item block
        self._come_to: dict[str, datetime] = {}
        self._last_cut: datetime | None = None

    @property
    def began(self) -> datetime:
        """When this process first saw the guest."""
        return self._first.began

    @property
    def machine(self) -> str:
        """Name of its machine."""
        return self._first.machine.name

    @property
    def is_before_hook(self) -> bool:
        """True if the guest was watched before Velero's hook was to freeze it."""
        return self._first.is_before_hook

    @property
    def has_console(self) -> bool:
        """True if the launcher pod keeps the log of the console."""
        return self._first.has_console is True

    def log_s(self, now: datetime) -> float:
        """The age in seconds of the oldest line of the console that may count, and a bit more."""
        first = self._first.began if self.is_before_hook else self._first.started
        return (now - first + _MARGIN).total_seconds()

    def see(self, look: Look) -> None:
        """Adds a look, unless it is an event that changes nothing here."""
        with self._lock:
            self._now = look.state
            is_same = bool(self._looks) and self._looks[-1].state == look.state
            if look.asked or not is_same:
                self._dropped += not _add(self._looks, look, MOST_LOOKS)

    def hear(self, heard: Heard) -> None:
        """Adds a line, unless it was heard before: a log that is read again has it again."""
        with self._lock:
            if all(one.line != heard.line for one in self._lines):
                self._dropped += not _add(self._lines, heard, MOST_LINES)

    def watched(self, span: Span, version: str) -> None:
        """Notes a time for which a watch missed nothing, in place of its own beginning.

        Args:
            version: `metadata.resourceVersion` of the instance at its end.
        """
        with self._lock:
            if self._watches and self._watches[-1].start == span.start:
                self._watches.pop()
            self._dropped += not _add(self._watches, span, MOST_WATCHES)
            self._version = version

    def thawed(self, thaw: Thaw) -> None:
        """Adds a thaw by this plugin."""
        with self._lock:
            self._thaws.append(thaw)

    def lack(self, statement: Statement) -> None:
        """Adds a read that failed, once."""
        with self._lock:
            if all(one.code != statement.code for one in self._lacks):
                self._lacks.append(statement)

    def cut(self, holder: Holder, now: datetime, *, is_in_block: bool) -> None:
        """Adds the holder of a disk whose snapshot the storage has now.

        Args:
            is_in_block: true if the disk is of the guest's item block.
        """
        with self._lock:
            self._holders.append(holder)
            self._last_cut = now
            if is_in_block:
                self._last_call = now

    def come_to(self, claim: str, now: datetime) -> None:
        """Notes that Velero has come to a disk, of which it is yet to take the snapshot."""
        with self._lock:
            self._come_to.setdefault(claim, now)

    def last_before(self, claim: str, *, is_in_block: bool) -> datetime:
        """The last call of Velero that came before it asked for the snapshot of a disk.

        The items of a block come one after the other: that of the disk before is one. Those of
        other blocks come meanwhile.

        Args:
            is_in_block: true if the disk is of the guest's item block.
        """
        with self._lock:
            come_to = self._come_to.get(claim, self._first.began)
            return max(self._last_call, come_to) if is_in_block else come_to

    @property
    def now(self) -> State:
        """The latest state of its instance."""
        with self._lock:
            return self._now

    @property
    def is_taken(self) -> bool:
        """True if all its disks are taken."""
        with self._lock:
            return len(self._holders) >= len(self.claims)

    @property
    def holders(self) -> Sequence[Holder]:
        """Holders of its disks, in the order of their snapshots."""
        with self._lock:
            return tuple(self._holders)

    @property
    def observations(self) -> Observations:
        """All that was seen so far."""
        with self._lock:
            return replace(
                self._first,
                looks=tuple(self._looks),
                watches=tuple(self._watches),
                version=self._version,
                lines=tuple(self._lines),
                thaws=tuple(self._thaws),
                dropped=self._dropped,
                lacks=tuple(self._lacks),
            )

    def is_over(self, now: datetime) -> bool:
        """True if nothing more is to be expected that says anything of the disks."""
        seen = self.observations
        if now - seen.began > LONGEST:
            return True
        if self._last_cut is None or now - self._last_cut < SETTLED:
            return False
        if ends := list(_ends(seen, self._last_cut)):
            return now - min(ends) >= SETTLED
        state = seen.looks[-1].state if seen.looks else State()
        return not state.is_frozen and now - self._last_cut >= _QUIET


def _ends(seen: Observations, last_cut: datetime) -> Iterator[datetime]:
    """Moments after the last snapshot at which the freeze was over."""
    for heard in seen.lines:
        if heard.line.state in (Line.RELEASED, Line.OVER) and heard.received >= last_cut:
            yield heard.received
    was_frozen = False
    for look in seen.looks:
        if was_frozen and not look.state.is_frozen and look.received >= last_cut:
            yield look.received
        was_frozen = look.state.is_frozen


def _add(kept: list[Kept], new: Kept, most: int) -> bool:
    """True if there was room for the new one."""
    if len(kept) >= most:
        return False
    kept.append(new)
    return True
