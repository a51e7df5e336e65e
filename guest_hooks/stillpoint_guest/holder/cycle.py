"""A freeze and its thaw: idle, prepare, lock, held, release, over.

A single thread quiesces the applications and waits. Whatever ends the wait or the way there (a
thaw, a refusal, a deadline, the watchdog, a client that went away), the thread then releases the
quiesced applications: side by side, for nobody has to wait for somebody else's application; the
filesystems first, and in the order of the sections. Only after that comes what can fail: marks,
records, lines.
"""

import itertools
import threading
import time
from functools import partial
from typing import Callable, Dict, List, Optional, Sequence

from stillpoint_guest import __version__
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Report
from stillpoint_guest.errors import (
    ApplicationError,
    DeadlinePassed,
    FreezeRefused,
    GuestError,
    Unreachable,
)
from stillpoint_guest.filesystems import agent_freeze, own_freeze
from stillpoint_guest.filesystems.mounts import Mount
from stillpoint_guest.filesystems.reach import NOTHING_FROZEN, Reach
from stillpoint_guest.holder import capacity
from stillpoint_guest.holder.announcements import Announcements
from stillpoint_guest.holder.application import GRACE_S, RELEASE_S, Application
from stillpoint_guest.holder.plan import Plan
from stillpoint_guest.log import ERROR, WARNING, Log
from stillpoint_guest.state import freeze_record, machine
from stillpoint_guest.state.freeze_record import ApplicationRecord, FreezeRecord, Records
from stillpoint_guest.state.hold_marker import HoldMarker
from stillpoint_guest.worker import within

PREPARE = "prepare"
LOCK = "lock"
HELD = "held"
RELEASE = "release"
OVER = "over"
THAW = "thaw"  # the reason of a release, when it is as it should be
_RECORD_S = 2.0
_REACH_S = 2.0  # to look at mounts; one that takes longer does not answer
_UP_TO_THE_ASKER = "no filesystem was frozen: if a copy is of one moment is up to who asked"
FILESYSTEM = "filesystem"  # a verdict: some application only starts as after a power failure


class Cycle:
    """A freeze and its thaw."""

    def __init__(
        self,
        plan: Plan,
        records: Records,
        hold: HoldMarker,
        log: Log,
        announcements: Announcements,
    ) -> None:
        """Takes on a plan.

        Args:
            plan: the applications to quiesce; those that are busy do not take part, for what is
                unfinished there would break this hold.
            records: for the freeze record.
            hold: the hold marker.
            log: for lines.
            announcements: for those that the cluster can read.
        """
        self._plan = plan
        self._records = records
        self._hold = hold
        self._log = log
        self._announcements = announcements
        self._given_up = threading.Event()
        self._reason = ""
        self._applications: List[Application] = []
        self._settled = threading.Event()
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cycle", daemon=True)
        self._times: Dict[str, str] = {}
        self._warnings = list(plan.warnings)
        self._id = freeze_record.new_id()
        self._begin_s = time.monotonic()
        self.phase = PREPARE
        self.error: Optional[GuestError] = None
        self.record: Optional[FreezeRecord] = None

    def begin(self) -> None:
        """Starts the cycle."""
        self._thread.start()

    def is_settled(self, wait_s: float) -> bool:
        """True if the applications are held, or the freeze has failed (then `error` is set)."""
        return self._settled.wait(wait_s)

    def is_released(self, wait_s: float) -> bool:
        """True if every application runs again, within that time."""
        return self._released.wait(wait_s)

    def is_over(self, wait_s: float) -> bool:
        """True if nothing is left to do, within that time."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def release(self, reason: str) -> None:
        """Ends the cycle, wherever it is; the first reason counts."""
        self._reason = self._reason or reason
        self._given_up.set()

    @property
    def hanging(self) -> Sequence[Application]:
        """After the cycle: the applications whose abandoned drivers are still at work."""
        return [one for one in self._applications if one.is_hanging()]

    @property
    def releasing(self) -> Sequence[str]:
        """The applications that are still on their way back."""
        now = Deadline.after(0)
        return [one.name for one in self._applications if not one.is_released(now)]

    @property
    def release_errors(self) -> Sequence[GuestError]:
        """The errors of the way back, and of what was lost before."""
        return [error for one in self._applications for error in one.errors]

    def _run(self) -> None:
        try:
            if self._quiesce():
                self._wait()
                self._announce_release()
        except GuestError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001  the edge: a fault must not leave locks behind
            self.error = FreezeRefused("guest", self.phase, f"fault: {error!r}")
            self.error.__cause__ = error
        self.phase = RELEASE
        try:
            self._release()
        finally:
            self._judge_hold()
            self.phase = OVER
            self._settled.set()
            self._released.set()
        self._end()

    def _quiesce(self) -> bool:
        """Quiesces the applications; true if anything is held then."""
        deadline = Deadline.after(self._plan.freeze_s)
        self._times["began_at"] = freeze_record.stamp()
        attempt = "see what would be frozen"
        reach = within(deadline.or_after(_REACH_S), "filesystems", attempt, self._reach)
        self._warnings += reach.table.unread
        for driver in self._plan.drivers:
            self._applications.append(Application(driver, self._given_up))
        if not reach.order and self._plan.has_frozen_window and self._plan.is_agents:
            self._leave_all_out()
            return False
        self._quiesce_all(reach, deadline)
        return True

    def _quiesce_all(self, reach: Reach, deadline: Deadline) -> None:
        self._prepare(deadline)
        self._sync(reach, deadline)
        self.phase = LOCK
        self._lock_all(deadline)
        self._judge_data(reach, deadline)
        record = self._held_record()
        is_on_disk = self._write_record(record)
        if self._plan.last:
            disks = Application(self._plan.last, self._given_up)
            self._applications.append(disks)
            self._lock(disks, deadline)
        self._reach_held(record, is_on_disk)

    def _reach(self) -> Reach:
        found = self._plan.reach()
        for why in agent_freeze.hanging(found, self._plan.asker) if found.order else ():
            hint = "unmount one of them, or mount the outer filesystem first and last"
            raise FreezeRefused("filesystems", "freeze", why, hint)
        return found

    def _leave_all_out(self) -> None:
        """With nothing frozen the guest agent answers that all is well, and may never thaw."""
        self._warnings.append(NOTHING_FROZEN)
        for application in self._applications:
            hint = "required = no, or stillpoint-guest hook off"
            error = Unreachable(application.name, "bring it to rest", NOTHING_FROZEN, hint)
            self._try(application, partial(_fail, error))
        self._renew_record(freeze_record.RELEASED)
        self.release(NOTHING_FROZEN)

    def _judge_data(self, reach: Reach, deadline: Deadline) -> None:
        """Promises nothing of data that this freeze does not hold."""
        if not reach.order:
            if self._plan.has_frozen_window:  # who asks himself knows what he freezes
                self._log.say(_UP_TO_THE_ASKER, WARNING)
            else:
                self._warnings.append(_UP_TO_THE_ASKER)
            return
        for one in self._applications:
            if one.report is not None:
                process, patience = one.driver.section.process, deadline.or_after(_REACH_S)
                one.report = reach.judge(one.report, process, patience)

    def _prepare(self, whole: Deadline) -> None:
        """Prepares all side by side; who may be left out leaves half of the time to the locks."""
        half = Deadline.after(whole.remaining_s / 2)
        begun = []
        for application in self._applications:
            self._try(application, lambda: self._require_free(application))
            if application.left_out:
                continue
            section = application.driver.section
            deadline = (whole if section.required else half).or_after(section.prepare_s)
            begun.append((application, application.begin_prepare(deadline), deadline))
        for application, pending, deadline in begun:
            self._try(application, lambda: application.finish_prepare(pending, deadline))

    def _require_free(self, application: Application) -> None:
        why = self._plan.busy.get(application.instance)
        if why:
            raise Unreachable(application.name, "freeze", why, "see the system's log")

    def _lock_all(self, whole: Deadline) -> None:
        """Locks one after the other; a found account's servers leave time for all others.

        So an account that was taken over keeps nobody else from rest, however many servers it runs.
        """
        todo = [one for one in self._applications if not one.left_out]
        owners = [capacity.owner(one.driver.section) for one in todo]
        reserve_s = whole.remaining_s / 2 / max(1, len(set(owners)))  # of each
        for number, one in enumerate(todo):
            others = {*owners[number:]} - {owners[number]}
            kept_s = reserve_s * len(others) + GRACE_S if others else 0.0
            is_configured = owners[number] == capacity.CONFIGURED
            self._lock(one, whole if is_configured else Deadline(whole.at_s - kept_s))

    def _lock(self, application: Application, whole: Deadline) -> None:
        self._require_wanted()
        deadline = whole.or_after(application.driver.lock_s)
        self._try(application, lambda: application.lock(deadline))

    def _release(self) -> None:
        """Releases all side by side, but for the order of sections, within a common bound.

        An application that hangs delays later ones of that order by a share of that time, and
        nobody else.
        """
        whole = Deadline.after(RELEASE_S)
        groups = self._groups()
        for number, group in enumerate(groups):
            for one in group:
                one.begin_release(whole)
            share = Deadline.after(whole.remaining_s / (len(groups) - number))
            for one in group:
                one.is_released(share)
        for one in self._applications:
            one.finish_release()
        for one in self._applications:
            one.close()
        patience = Deadline.after(GRACE_S)
        for one in self._applications:
            one.is_hanging(patience.remaining_s)

    def _groups(self) -> Sequence[Sequence[Application]]:
        """Groups of the release: the last first, applications of the same order together."""
        ranked = itertools.groupby(reversed(self._applications), self._rank)
        return [list(group) for _, group in ranked]

    def _rank(self, one: Application) -> float:
        is_last = one.driver is self._plan.last
        return float("inf") if is_last else one.driver.section.order

    def _try(self, application: Application, step: Callable[[], object]) -> None:
        try:
            step()
        except ApplicationError as error:
            self._require_wanted()
            if not application.driver.section.can_be_left_out(error):
                whole = FreezeRefused(error.subject, error.attempt, error.cause, error.hint)
                raise whole from error
            application.left_out = error
            self._log.say(f"left out, so not at rest: {error}", WARNING)

    def _sync(self, reach: Reach, deadline: Deadline) -> None:
        """Writes dirty pages to the disks while everything runs, so that the freeze is short."""
        for mount in reach.order:
            self._require_wanted()
            self._sync_one(mount, deadline)

    def _sync_one(self, mount: Mount, deadline: Deadline) -> None:
        try:
            sync = partial(own_freeze.sync, mount)
            within(deadline, mount.path, "sync it", sync, stop=self._given_up)
        except DeadlinePassed:
            self._require_wanted()
            raise
        except OSError as error:  # the freeze itself will say so, if it matters
            self._log.say(f"{mount.path}: sync it: {error}", WARNING)

    def _held_record(self) -> FreezeRecord:
        now = time.time()
        self._times["held_at"] = freeze_record.stamp(now)
        self._times["held_until_at_most"] = freeze_record.stamp(now + self._plan.watchdog_s)
        return self._renew_record(freeze_record.HELD)

    def _reach_held(self, record: FreezeRecord, is_on_disk: bool) -> None:
        try:
            self._hold.write(self._times["held_at"], self._resting)
        except OSError as error:
            cause = f"it cannot be noted in /run: {error}"
            raise FreezeRefused("guest", "hold", cause, "make room there") from error
        self._require_wanted()
        self.phase = HELD
        self._announcements.hold(record, self._resting, is_on_disk)
        self._log.say(f"held: {self._summary()}")
        self._settled.set()

    def _wait(self) -> None:
        if not self._given_up.wait(self._plan.watchdog_s):
            why = self._late_thaw
            self._hold.lose(why)
            self.release(why)
            self._log.say(f"watchdog: {why}, so everything is released", ERROR)

    @property
    def _late_thaw(self) -> str:
        return f"no thaw came within {self._plan.watchdog_s:g} s"

    def _announce_release(self) -> None:
        """Before anything is released: without this line on the console, all are still held."""
        hold = self._hold.read()
        is_lost = self._reason != THAW or hold is None or bool(hold.lost)
        by = {THAW: THAW, self._late_thaw: "watchdog"}.get(self._reason, "other")
        self._announcements.release(is_lost, by)

    def _judge_hold(self) -> None:
        if not self._settled.is_set():
            self._hold.drop()  # no client knows that it was held
        elif self.error is not None:
            self._hold.lose(str(self.error))

    def _require_wanted(self) -> None:
        if self._given_up.is_set():
            raise FreezeRefused("guest", self.phase, self._reason)

    def _end(self) -> None:
        """Tell; everything runs already."""
        self._announcements.end(bool(self.error or self.release_errors))
        self._hold.save()
        self._times["released_at"] = freeze_record.stamp()
        if self.error is not None:
            self._log.say(f"refused: {self.error}", ERROR)
        for error in self.release_errors:
            self._log.say(str(error), ERROR)
        is_on_disk = self.record is not None
        record = self._renew_record(freeze_record.RELEASED)
        if is_on_disk:
            self._write_record(record)
        self._log.say(f"over: {self._reason or 'refused'}")

    def _renew_record(self, state: str) -> FreezeRecord:
        whole = FreezeRecord(
            state=state,
            verdict=self._verdict(),
            boot_id=freeze_record.boot_id(),
            version=__version__,
            applications=tuple(map(_record_of, self._applications)),
            warnings=tuple(self._warnings),
            ended_by=self._reason if state == freeze_record.RELEASED else "",
            refused=str(self.error or ""),
            freeze_s=round(time.monotonic() - self._begin_s, 4),
            id=self._id,
            machine=machine.identity(),
            **self._times,
        )
        self.record = freeze_record.bounded(whole)
        return self.record

    def _write_record(self, record: FreezeRecord) -> bool:
        """Writes the record; true if the disk has it."""
        attempt = "write the record"
        deadline = Deadline.after(_RECORD_S)
        stop = None if self._released.is_set() else self._given_up
        try:
            within(deadline, "record", attempt, lambda: self._records.write(record), stop)
        except (OSError, DeadlinePassed) as error:
            self._log.say(f"the disk does not take the record: {error}", WARNING)
            return False
        return True

    def _verdict(self) -> str:
        levels = {_record_of(one).level for one in self._applications}
        is_whole = levels == {APPLICATION} and not self._warnings
        return APPLICATION if is_whole else FILESYSTEM

    def _summary(self) -> str:
        return ", ".join(self._resting) or "no application"

    @property
    def _resting(self) -> Sequence[str]:
        return [one.name for one in self._applications if one.report]


def _fail(error: GuestError) -> None:
    raise error


def _record_of(one: Application) -> ApplicationRecord:
    report = one.report or Report("", level=CRASH)
    error = one.left_out
    section = one.driver.section
    return ApplicationRecord(
        name=one.name,
        type=section.kind,
        required=section.required,
        source=section.source,
        level=CRASH if error else report.level,
        method=report.method,
        position=report.position,
        guarantees=report.guarantees,
        warnings=report.warnings,
        error=str(error or ""),
        release_errors=tuple(str(each) for each in one.errors),
        timings_s=dict(one.timings_s),
    )
