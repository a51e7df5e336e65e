"""A case: the observations of one guest, and a span in which disks of it were cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from stillpoint.evidence import hold as holds
from stillpoint.evidence.hold import Hold, NodeClock
from stillpoint.evidence.observations import Heard, Look, Observations, State

SETTLED = timedelta(seconds=6)
"""The instance's status is so late: KubeVirt looks at the guest every five seconds and patches the
instance then (v1.9: --qemu-fsfreeze-status-interval of virt-launcher)."""

_GAP = timedelta(seconds=4)
"""A status that is not seen for so long has not changed and changed back, for the same reason."""


@dataclass(frozen=True)  # no slots, so that what is derived is derived once
class Case:
    """One or several disks, cut between two moments of the plugin's clock.

    Attributes:
        start: not after the first cut.
        end: not before the last one.
        is_in_block: true if all were cut after the guest's pre hook.
        has_moments: true if each snapshot is of a single moment.
    """

    seen: Observations
    start: datetime
    end: datetime
    is_in_block: bool
    has_moments: bool

    @property
    def settled(self) -> datetime:
        """From then on the instance's status says how the guest was after the cuts."""
        return self.end + SETTLED

    @cached_property
    def clock(self) -> NodeClock | None:
        """The node's clock; None if not known."""
        return holds.node_clock(self.seen)

    @cached_property
    def hold(self) -> Hold | None:
        """The hold by the console's word; None if there is none that counts."""
        return holds.of(self.seen)

    @cached_property
    def lines(self) -> Sequence[Heard]:
        """Lines of the console that may be of this backup, of whichever hold."""
        return holds.not_older(self.seen, self.clock)

    @cached_property
    def is_watched(self) -> bool:
        """True if no change of the instance was missed around the cuts."""
        return any(
            span.start and span.end and span.start <= self.start + _GAP and self.settled <= span.end
            for span in self.seen.watches
        )

    @cached_property
    def looks(self) -> Sequence[Look]:
        """The looks up to the one that says how the guest was after the cuts.

        Empty if there is none before the cuts or none after them, or if looks were dropped.
        """
        looks = self.seen.looks
        is_early = bool(looks) and looks[0].received <= self.start
        until = [look for look in looks if look.received <= self.settled]
        after = [look for look in looks if look.asked and look.asked >= self.settled][:1]
        if self.seen.dropped or not is_early or not (self.is_watched or after):
            return ()
        return until if self.is_watched else [*until, *after]

    @cached_property
    def around(self) -> Sequence[State]:
        """The state before the cuts and those after that, of `looks`."""
        earlier = sum(look.received <= self.start for look in self.looks)
        return [look.state for look in self.looks[max(earlier - 1, 0) :]]
