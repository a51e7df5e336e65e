"""Timelines of a guest, its hooks and its snapshots, at random: the truth, and what is seen of it.

Times are seconds of the plugin's clock, which is the true one here. What a plugin could see is made
as the programs between make it: a status at most six seconds late, lines that come late or never,
logs that are said again, a node with a clock of its own, rights that are missing.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Generic, TypeVar

from stillpoint.evidence.console import ConsoleLine
from stillpoint.evidence.console import State as Moment
from stillpoint.evidence.document import Span, Subject
from stillpoint.evidence.observations import Cut, Heard, Look, Observations, State, Thaw
from stillpoint.model.level import Level

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
SAFETY_S = 300.0
NEVER = float("inf")

Value = TypeVar("Value")


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


class Steps(Generic[Value]):
    """A value that changes at moments."""

    def __init__(self, first: Value) -> None:
        self.moments: list[float] = []
        self.values: list[Value] = [first]

    def set(self, moment: float, value: Value) -> None:
        self.moments.append(moment)
        self.values.append(value)

    def get(self, moment: float) -> Value:
        return self.values[bisect_right(self.moments, moment)]

    @property
    def last(self) -> Value:
        return self.values[-1]


@dataclass
class Hold:
    """Applications at rest in the guest."""

    id: str
    boot: str
    start: float
    is_complete: bool
    end: float = NEVER
    is_lost: bool = False
    by: str = ""


@dataclass
class Disk:
    """A snapshot: asked for, taken, and there."""

    name: str
    asked: float
    taken: float
    there: float
    is_in_block: bool


@dataclass
class Guest:
    """The truth of a guest; `phase` counts frozen windows, and is 0 outside of them."""

    frozen: Steps[int]
    state: Steps[State]
    boot: int = 1
    windows: int = 0
    holds: list[Hold] = field(default_factory=list)
    timer: float = NEVER
    safety: list[float] = field(default_factory=list)


Event = tuple[float, Callable[[float], None]]


class Timeline:
    """One backup of one guest."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.is_package = random.random() < 0.75
        self.is_complete = random.random() < 0.8
        self.has_console = random.random() < 0.85
        self.has_hook = random.random() < 0.88
        self.is_own = random.random() < 0.5
        self.skew = random.choice([0.0, random.uniform(-30, 30)])
        on = random.random() < 0.93
        paused = "p-1" if on and random.random() < 0.04 else ""
        agent = "a-1" if on and random.random() < 0.9 else ""
        first = State("u-1", "Running", ("l-1",), "n-1", agent, paused) if on else State()
        first = replace(first, os=random.choice(["debian", ""]))
        self.guest = Guest(Steps(0), Steps(first))
        self.others: list[str] = []
        self.later: list[float] = []
        self.busy: list[tuple[float, float]] = []
        self.by_hand = False
        self.is_hook_failed = False
        self.is_hook_late = False
        self.thaws: list[Thaw] = []
        self.tail_restarts: list[float] = []
        self.events: list[Event] = []
        self.really_started = random.uniform(0, 0.99)  # Velero stores whole seconds
        self._plan()
        self._run()

    # The plan.

    def _plan(self) -> None:
        random = self.random
        self.is_before_hook = random.random() < 0.92
        early = self.really_started + random.choice([random.uniform(0.1, 1), random.uniform(1, 3)])
        self.hook_at = early + random.choice([random.uniform(0, 1), random.uniform(0, 400)])
        outcome = random.choices(["ok", "failed", "late"], [90, 6, 4])[0]
        self.hook_end = self.hook_at + random.uniform(0.05, 2)
        if self.has_hook and outcome == "ok":
            self.hook_end += random.uniform(0.01, 0.3)
            self._at(self.hook_end - random.uniform(0.01, 0.05), self._freeze_by_hook)
        elif self.has_hook:
            self.is_hook_failed = True
            self.hook_end = self.hook_at + random.choice([0.5, 30])
            self.is_hook_late = outcome == "late"
            if self.is_hook_late:
                self._at(self.hook_end + random.uniform(0.1, 20), self._freeze)
        self.began = early if self.is_before_hook else self.hook_end + random.uniform(0.01, 0.3)
        self._plan_disks()
        in_block = [disk.there for disk in self.disks if disk.is_in_block]
        self.post_at = max(in_block, default=self.hook_end) + random.uniform(0.02, 3)
        if self.has_hook:
            self._at(self.post_at, self._thaw)
        if self.is_own and random.random() < 0.7:
            self._at(max(in_block, default=0.0) + random.uniform(0.001, 0.02), self._own_thaw)
        self.end = max(self.post_at, *(disk.there for disk in self.disks)) + 60
        self._plan_backups_around()
        self._plan_accidents()

    def _plan_backups_around(self) -> None:
        """Backups right before and right after this one, as of two schedules of one minute.

        Velero takes them one after the other, and each of them thaws the guest before it is over.
        """
        random = self.random

        def some() -> float:
            return random.choice([random.uniform(0.1, 1), random.uniform(1, 9)])

        if random.random() < 0.2:
            thawed = self.really_started - some()
            self._at(thawed - some(), self._freeze)
            self._at(thawed, self._thaw)
        if random.random() < 0.2:
            started = self.end - 60 + some()
            frozen = started + random.uniform(0.2, 3)
            self._at(frozen, self._freeze)
            self._at(frozen + some(), self._thaw)
            self.later.append(int(started))

    def _plan_disks(self) -> None:
        random = self.random
        self.disks: list[Disk] = []
        now = self.hook_end + random.uniform(0.05, 0.5)
        slow = random.choice([1.0, 1.0, 8.0, 120.0])
        for number in range(random.randint(1, 4)):
            is_in_block = random.random() < 0.9
            asked = now if is_in_block else random.uniform(4, self.hook_end + 30 * slow)
            taken = asked + random.uniform(0.01, 0.5 * slow)
            there = taken + (random.uniform(0.01, 0.3) if self.is_own else random.uniform(0.1, 5))
            self.disks.append(Disk(f"disk-{number}", asked, taken, there, is_in_block))
            if is_in_block and not self.is_own:
                now = there + random.uniform(0.01, 0.3)

    def _plan_accidents(self) -> None:
        random = self.random

        def some(share: float, *around: float) -> Iterable[float]:
            before, after = around or (30.0, 40.0)
            if random.random() < share:
                span = self.hook_at - before, max(self.hook_at + after, self.post_at + 10)
                yield random.uniform(*span)

        for moment in some(0.15):
            self._plan_other("VirtualMachineSnapshot", moment, random.choice([2, 60]))
        for moment in some(0.06):
            self._plan_other("VirtualMachineBackup", moment, 3)
        for act in (self._thaw_by_hand, self._reset, self._migrate, self._restart, self._pause):
            for moment in some(0.04):
                self._at(moment, act)
        for moment in some(0.04):
            self._at(moment, lambda now: self._set(now, agent_since=""))
            self._at(moment + random.uniform(0.5, 20), self._connect)
        self.tail_restarts = [*some(0.06)]

    def _plan_other(self, kind: str, moment: float, longest: float) -> None:
        end = moment + self.random.uniform(0.3, longest)
        self.others.append(f"{kind} one")
        self.busy.append((moment, end))
        self._at(moment + 0.1, self._freeze)
        self._at(end, self._thaw)

    def _at(self, moment: float, act: Callable[[float], None]) -> None:
        self.events.append((moment, act))

    # The truth.

    def _run(self) -> None:
        while self.events:
            self.events.sort(key=lambda event: event[0])
            moment, act = self.events.pop(0)
            if self.guest.timer <= moment:
                self.events.append((moment, act))
                moment, act = self.guest.timer, self._safety_thaw
            act(moment)
        if self.guest.timer < self.end:
            self._safety_thaw(self.guest.timer)

    def _set(self, moment: float, **change: object) -> None:
        state = self.guest.state.last
        if state.uid:
            self.guest.state.set(moment, replace(state, **change))  # type: ignore[arg-type]

    def _freeze_by_hook(self, moment: float) -> None:
        state = self.guest.state.last
        self.is_hook_failed = bool(state.uid) and state.is_migrating
        self._freeze(moment)

    def _freeze(self, moment: float) -> None:
        guest, state = self.guest, self.guest.state.last
        is_possible = state.uid and state.agent_since and not state.paused_since
        if not is_possible or state.is_migrating or guest.frozen.last:
            return
        guest.windows += 1
        guest.frozen.set(moment, guest.windows)
        guest.timer = moment + SAFETY_S
        if self.is_package:
            start = moment - self.random.uniform(0.01, 0.05)
            boot = f"boot-{guest.boot}"
            hold = Hold(f"id-{guest.windows}", boot, start, self.is_complete)
            hold.is_lost = self.random.random() < 0.05
            guest.holds.append(hold)

    def _thaw(self, moment: float, by: str = "thaw") -> None:
        self.guest.timer = NEVER
        if self.guest.frozen.last and self.guest.state.last.agent_since:
            self.guest.frozen.set(moment, 0)
            self._release(moment + self.random.uniform(0.001, 0.1), by)

    def _release(self, moment: float, by: str) -> None:
        for hold in self.guest.holds:
            if hold.end == NEVER:
                hold.end, hold.by = moment, by

    def _own_thaw(self, moment: float) -> None:
        is_busy = any(start <= moment <= end for start, end in self.busy)
        state = self.guest.state.last
        is_left = any(disk.there > moment for disk in self.disks)
        if is_busy or is_left or not state.uid or state.paused_since or state.is_migrating:
            return
        acts = moment + self.random.uniform(0.01, 0.3)
        answered = acts + self.random.uniform(0.01, 0.2)
        is_answered = self.random.random() < 0.95
        self.thaws.append(Thaw(at(moment), at(answered) if is_answered else None))
        self._at(acts, self._thaw)

    def _safety_thaw(self, moment: float) -> None:
        self.guest.safety.append(moment)
        self._thaw(moment)

    def _thaw_by_hand(self, moment: float) -> None:
        """Not shortly before a snapshot is there: the exception of docs/evidence.md."""
        if not any(disk.there - 2.5 < moment < disk.there for disk in self.disks):
            self.by_hand = True
            self._thaw(moment)

    def _reset(self, moment: float) -> None:
        guest = self.guest
        guest.boot += 1
        guest.timer = NEVER
        guest.frozen.set(moment, 0)
        for hold in guest.holds:
            hold.end = min(hold.end, moment)
            hold.by = hold.by or "reset"
        self._set(moment, agent_since="")
        self._at(moment + self.random.uniform(2, 15), self._connect)

    def _connect(self, moment: float) -> None:
        self._set(moment, agent_since=f"a-{moment:.3f}")

    def _migrate(self, moment: float) -> None:
        self._set(moment, is_migrating=True, launchers=("l-1", "l-2"))
        done = moment + self.random.uniform(0.5, 20)
        self._at(done, lambda now: self._set(
            now, is_migrating=False, launchers=("l-2",), node="n-2"
        ))  # fmt: skip

    def _restart(self, moment: float) -> None:
        """Ends the guest, which another follows; or starts the first."""
        if self.guest.state.last.uid:
            self._reset(moment)
            self.guest.state.set(moment, State())
            if self.random.random() < 0.5:
                return
        started = moment + self.random.uniform(1, 10)
        new = State("u-2", "Running", ("l-3",), "n-1", "", "")
        self._at(started, lambda now: self.guest.state.set(now, new))
        self._at(started + self.random.uniform(2, 15), self._connect)

    def _pause(self, moment: float) -> None:
        self._set(moment, paused_since=f"p-{moment:.3f}")
        self._at(moment + self.random.uniform(0.2, 20), self._resume)

    def _resume(self, moment: float) -> None:
        self._set(moment, paused_since="")

    def is_true(self, level: Level, disk: Disk) -> bool:
        """True if the disk has reached the level."""
        window = self.guest.frozen.get(disk.taken)
        state = self.guest.state.get(disk.taken)
        is_at_rest = any(
            hold.start <= disk.taken < hold.end and hold.is_complete and not hold.is_lost
            for hold in self.guest.holds
        )
        return {
            Level.APPLICATION: bool(window) and is_at_rest,
            Level.FILESYSTEM: bool(window),
            Level.PAUSED: bool(state.paused_since),
            Level.STOPPED: not state.uid,
            Level.CRASH: bool(state.uid) and not window,
        }.get(level, True)

    def is_true_of_all(self, level: Level) -> bool:
        """True if all disks as one have reached the level."""
        windows = {self.guest.frozen.get(disk.taken) for disk in self.disks}
        is_one_window = len(windows) == 1 and 0 not in windows
        if level is Level.MIXED:
            return len(self.disks) > 1 and not is_one_window
        if level is Level.CRASH and len(self.disks) > 1:
            return False
        is_of_each = all(self.is_true(level, disk) for disk in self.disks)
        return is_of_each and (is_one_window or level not in (Level.APPLICATION, Level.FILESYSTEM))

    # What is seen of it.

    def observe(self) -> tuple[Observations, Sequence[Cut]]:
        """The observations and the cuts, as a plugin could have them."""
        random = self.random
        self.watch_end = self.post_at + random.choice([10, 10, 10, random.uniform(-5, 10)])
        if random.random() < 0.8:  # the plugin's process ends before the next backup begins
            self.watch_end = min([self.watch_end, *self.later])
        looks, watches = self._looks()
        others = random.random() < 0.85
        seen = Observations(
            namespace="shop",
            machine=Subject("VirtualMachine", "db", "m-1"),
            started=at(0),
            began=at(self.began),
            is_before_hook=self.is_before_hook,
            has_hook=random.choices([self.has_hook, None], [95, 5])[0],
            has_console=self.has_console,
            looks=looks,
            watches=watches,
            lines=self._lines(),
            thaws=tuple(self.thaws),
            dropped=random.choices([0, 3], [97, 3])[0],
            is_hook_failed=self._is_hook_failed(),
            safety_thaws=self._safety_thaws() if random.random() < 0.8 else None,
            others=tuple(self.others) if others else None,
            later=tuple(map(at, self.later)) if others else None,
        )
        return seen, tuple(self._cuts())

    def _is_hook_failed(self) -> bool | None:
        """Known of this guest if no hook of the backup failed, or as few guests have one."""
        is_counted = self.has_hook and self.random.random() < 0.93
        is_told = not self.is_hook_failed or self.random.random() < 0.3
        is_alone = self.random.random() < 0.94
        return self.is_hook_failed if is_counted and is_told and is_alone else None

    def _cut(self, disk: Disk, asked: float) -> Cut:
        claim = Subject("PersistentVolumeClaim", disk.name, disk.name)
        is_in_block = disk.is_in_block and self.random.random() < 0.95
        return Cut(claim, at(asked), at(disk.there), in_block_of=("db",) * is_in_block)

    def _cuts(self) -> Iterable[Cut]:
        """The cuts: of the plugin's own exact, of Velero's after the call before, or by a clock."""
        is_by_calls = self.random.random() < 0.5
        call = self.began
        for disk in self.disks:
            if self.is_own:
                yield self._cut(disk, disk.asked)
            elif is_by_calls and disk.is_in_block:
                yield self._cut(disk, call)
                call = disk.there
            else:
                yield self._cut(disk, disk.asked - self.random.uniform(0, 1))

    def _safety_thaws(self) -> tuple[datetime, ...]:
        return tuple(at(moment + self.skew) for moment in self.guest.safety)

    def _status(self) -> Steps[State]:
        """The state as the API server has it: late, and the freeze as it was polled."""
        random, truth = self.random, self.guest.state
        events: list[tuple[float, str]] = []
        for moment, before in zip(truth.moments, truth.values, strict=False):
            if not before.uid:
                events.append((moment - random.uniform(0.05, 0.8), "start"))
            events.append((moment + random.uniform(0.05, 0.8), "state"))
        order = 0
        phase = random.uniform(0, 5)
        events += [(phase + 5 * count, "poll") for count in range(-8, int(self.end / 5) + 3)]
        status = Steps(truth.values[0])
        for moment, what in sorted(events):
            if what == "start":
                new = replace(truth.values[order + 1], phase="Scheduled")
                status.set(max([moment, *status.moments[-1:]]), new)
            elif what == "state":
                order += 1
                new = truth.values[order]
                is_same = new.uid == status.last.uid
                new = replace(new, is_frozen=status.last.is_frozen and is_same)
                status.set(max([moment, *status.moments[-1:]]), new)
            elif truth.get(moment).agent_since:
                is_frozen = bool(self.guest.frozen.get(moment)) and bool(status.last.uid)
                late = max([moment + random.uniform(0.05, 0.9), *status.moments[-1:]])
                if is_frozen != status.last.is_frozen:
                    status.set(late, replace(status.last, is_frozen=is_frozen))
        return status

    def _looks(self) -> tuple[tuple[Look, ...], tuple[Span, ...]]:
        random, status = self.random, self._status()

        def get(asked: float) -> Look:
            received = asked + random.uniform(0.01, 0.3)
            state = status.get(random.uniform(asked, received))
            return Look(at(received), state, at(asked))

        looks = [get(self.began)]
        gap = random.uniform(self.began, self.watch_end) if random.random() < 0.1 else None
        start = self.began + random.uniform(0.3, 1)
        spans = [(start, self.watch_end)]
        if gap and gap > start:
            spans = [(start, gap), (gap + random.uniform(0.2, 8), self.watch_end)]
        watches = [span for span in spans if span[0] < span[1] and random.random() < 0.95]
        for start, end in watches:
            looks.append(Look(at(start), status.get(start)))
            received = start
            for moment, state in zip(status.moments, status.values[1:], strict=True):
                received = max(received, moment + random.uniform(0, 0.2))
                if start < moment and received < end:
                    looks.append(Look(at(received), state))
        if random.random() < 0.85:
            looks.append(get(self.end + random.uniform(0, 30)))
        versions = {moment: f"v-{number}" for number, moment in enumerate(status.moments)}
        if random.random() < 0.5:
            looks = [self._with_version(look, versions) for look in looks]
        looks.sort(key=lambda look: look.received)
        return tuple(looks), tuple(Span(at(start), at(end)) for start, end in watches)

    def _with_version(self, look: Look, versions: dict[float, str]) -> Look:
        moment = ((look.asked or look.received) - NOON).total_seconds()
        earlier = [version for change, version in versions.items() if change <= moment]
        state = replace(look.state, machine_version=earlier[-1] if earlier else "v")
        return replace(look, state=state)

    def _lines(self) -> tuple[Heard, ...]:
        """Lines as they come from the log of the first launcher."""
        if not self.has_console:
            return ()
        random = self.random
        moved = [
            moment
            for moment, state in zip(
                self.guest.state.moments, self.guest.state.values[1:], strict=True
            )
            if state.launchers != ("l-1",)
        ]
        written = [
            (moment, line) for moment, line in self._written() if moment < min(moved, default=NEVER)
        ]
        for again in self.tail_restarts:
            written += [(again + 0.001 * n, line) for n, (moment, line) in enumerate(written)
                        if moment < again]  # fmt: skip
        written.sort(key=lambda pair: pair[0])
        opened = self.began + random.choice([random.uniform(0.02, 0.3), random.uniform(0, 20)])
        # Older ones are left out by the node's clock.
        oldest = (self.began if self.is_before_hook else 0) - random.choice([10, 60])
        closed, again = random.uniform(opened, self.post_at + 10), 0.0
        if random.random() < 0.9:
            closed = NEVER
        else:
            again = closed + random.uniform(0.1, 10)
        # A line of a hold is held up, or the log is asked for late: not both (docs/evidence.md).
        is_early = opened < self.began + 0.3 and closed == NEVER
        stalled = random.choice([None] * 9 + [*Moment]) if is_early else None
        is_torn = is_early and random.random() < 0.1  # older lines come with a pause in between
        heard, latest, number = [], -NEVER, 0
        for moment, line in written:
            stamped = moment + random.uniform(0, 0.03)
            late = random.uniform(0, 0.2) + random.uniform(0, 8) * (line.state is stalled)
            is_live = opened < stamped < closed or (closed < again < stamped)
            request = opened if stamped < opened else again
            received = stamped + late if is_live else request + late
            latest = max(received, latest + 0.0001)
            if stamped <= oldest:
                continue
            if is_torn and stamped < opened:
                latest += 0.3 * number
                number += 1
            if latest < self.watch_end and not self._is_cut(latest, closed, again):
                stamp, seems_live = at(stamped + self.skew), is_live or number > 1
                heard.append(Heard(replace(line, stamped=stamp), at(latest), seems_live))
        return tuple(heard)

    def _is_cut(self, received: float, closed: float, again: float) -> bool:
        return closed < received < again

    def _written(self) -> list[tuple[float, ConsoleLine]]:
        """Lines and when the guest has written them; some are lost."""
        random = self.random
        holds = [*self.guest.holds]
        if self.is_package and random.random() < 0.3:
            start = -random.uniform(1, 100)
            holds.insert(0, Hold("id-old", "boot-1", start, True, start + 0.9, by="thaw"))
        lines = []
        for hold in holds:
            verdict = Level.APPLICATION if hold.is_complete else Level.FILESYSTEM
            line = ConsoleLine(NOON, Moment.HELD, hold.id, hold.boot)
            late = random.uniform(0, 0.05) if random.random() < 0.92 else random.uniform(0, 10)
            lines.append((hold.start + late, replace(line, verdict=verdict)))
            if hold.end < NEVER and hold.by != "reset":
                held_s = hold.end - hold.start
                said = max(hold.end + random.choice([0.02, random.uniform(0, 1)]), lines[-1][0])
                is_lost = hold.is_lost and random.random() < 0.3
                released = replace(line, state=Moment.RELEASED, held_s=held_s, by=hold.by)
                if said <= hold.end + 1:
                    lines.append((said, replace(released, is_lost=is_lost)))
                over = replace(line, state=Moment.OVER, is_lost=hold.is_lost)
                lines.append((said + random.uniform(0.01, 3), over))
        return [line for line in lines if random.random() < 0.95]
