"""The holder: the single process that lives from freeze to thaw.

The holder has everything imported before a disk freezes, writes nothing to a disk during a hold,
and listens on a socket in /run. There are threads for the listener, for each client, for the cycle
and for each application; so that whoever hangs, the others go on.
"""

import contextlib
import fcntl
import os
import socket
import struct
import threading
import time
from functools import partial
from typing import IO, Collection, Optional, Sequence

from stillpoint_guest.console import Console
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import ConfigurationError, FreezeRefused, GuestError, HoldLost
from stillpoint_guest.filesystems.own_freeze import Filesystems
from stillpoint_guest.holder import answers, capacity, plan
from stillpoint_guest.holder.announcements import Announcements
from stillpoint_guest.holder.application import Application, Instance
from stillpoint_guest.holder.cycle import OVER, THAW, Cycle
from stillpoint_guest.holder.plan import Kinds, Plan
from stillpoint_guest.holder.recovery import Recovery
from stillpoint_guest.hook import messages, qemu_agent
from stillpoint_guest.hook.connection import Connection
from stillpoint_guest.hook.holder_status import HolderStatus
from stillpoint_guest.hook.messages import (
    Failure,
    FreezeRequest,
    Held,
    Request,
    Thawed,
    ThawRequest,
    Wait,
)
from stillpoint_guest.log import ERROR, INFO, WARNING, Log
from stillpoint_guest.options import config
from stillpoint_guest.options.config import Configuration
from stillpoint_guest.options.section import Section
from stillpoint_guest.places import Places
from stillpoint_guest.processes.children import CHILDREN
from stillpoint_guest.state import console_line, freeze_record, recognition
from stillpoint_guest.state.freeze_record import FreezeRecord, Records
from stillpoint_guest.state.hold_marker import HoldMarker
from stillpoint_guest.state.undo_journal import UndoJournal
from stillpoint_guest.worker import start, within

_FIRST_SOCKET = 3  # of systemd's socket activation
_LOOK_S = 0.02
_ACCEPT_S = 0.5
_MOST_CLIENTS = 32  # at a time; one that says nothing is sent away after:
_REQUEST_S = 5.0
_MOST_REQUEST_BYTES = 1024 * 1024  # of run's, with all paths of a large guest
_KEPT_S = 2.0  # for a client to say that it got its reply
_MARGIN_S = 3.0  # beyond the longest that a phase should take
_THAW_S = 15.0  # KubeVirt gives up after 20
_PLAN_S = 5.0
_UNDO_S = 2.0  # before a freeze, and before the first client is answered
_UNDO_AT_THAW_S = 8.0  # more: what a thaw says of it is what its caller will believe
_HANGS = "its driver still hangs in the freeze before"
_IS_UNDONE = "what was noted for a hold before is still being undone"
_RECORD_S = 2.0
_LATE_AT_BOOT_S = 60.0  # for the console: a copy is the same copy later


class Holder:
    """Serves clients, a cycle at a time."""

    def __init__(self, places: Places, kinds: Kinds, log: Log) -> None:
        self._places = places
        self._kinds = kinds
        self._log = log
        self._console = Console(log)
        self._records = Records(places.state)
        self._hold = HoldMarker(places.hold)
        self._cycle: Optional[Cycle] = None
        self._beginning = threading.Lock()
        self._clients = threading.BoundedSemaphore(_MOST_CLIENTS)
        self._abandoned: Sequence[Application] = ()
        self._recovery = Recovery(places, (*kinds, Filesystems), log)
        self._busy_at_s = time.monotonic()
        self._left = threading.Event()
        self._has_looked = False  # if this disk is a copy

    def start(self) -> None:
        """Undoes the changes of a dead holder, and finds out if this disk is a copy."""
        self._recovery.end_left_over()
        self._recovery.undo(_UNDO_S)
        hold = self._hold.read()
        if hold:
            self._log.say(f"what was held since {hold.since} is lost: {hold.lost}", ERROR)
        try:
            origin = within(Deadline.after(_RECORD_S), "record", "read", self._recognise)
        except (OSError, GuestError) as error:
            self._log.say(f"the record cannot be moved: {error}", WARNING)
            origin = self._records.origin()
        if origin:
            self._log.say(freeze_record.summary(origin), WARNING)
            self._announce(origin)

    def _announce(self, origin: FreezeRecord) -> None:
        """Says on the console which record this disk carries."""
        try:
            known = within(Deadline.after(_PLAN_S), "configuration", "read it", self._configuration)
        except (OSError, GuestError) as error:
            self._log.say(f"nothing is said of this copy on the serial console: {error}", WARNING)
            return
        self._console.say(known.console, partial(console_line.copied, origin), _LATE_AT_BOOT_S)
        start("answers", partial(self._await_answers, origin, known))

    def _await_answers(self, origin: FreezeRecord, known: Configuration) -> None:
        """Says on the console which applications of a copy answer again."""
        wait_s = known.on_copy.answers_s
        drivers = lambda: self._plan().drivers  # noqa: E731
        try:
            found = answers.collect(origin, drivers, wait_s, self._is_free, self._left)
        except Exception as error:  # noqa: BLE001  the edge: nobody waits for this thread
            self._log.say(f"the applications of this copy cannot be asked: {error!r}", WARNING)
            return
        if found:
            self._log.say(answers.summary(found), WARNING if found.no else INFO)
            line = partial(console_line.answers, origin, *found)
            self._console.say(known.console, line, _LATE_AT_BOOT_S)

    def _is_free(self) -> bool:
        return self._cycle is None or self._cycle.is_over(0)

    def _configuration(self) -> Configuration:
        return config.load(self._places, self._kinds)

    def _recognise(self) -> Optional[FreezeRecord]:
        for fault in self._records.faults():
            self._log.say(str(fault), WARNING)
        return self._look()

    def _look(self) -> Optional[FreezeRecord]:
        origin = recognition.recognise(self._places.state, self._are_steps_required)
        self._has_looked = True
        return origin

    def _look_again(self) -> None:
        """Looks, where that failed at the start: the record of a freeze replaces a copy's."""
        if self._has_looked:
            return
        try:
            within(Deadline.after(_RECORD_S), "record", "read", self._look)
        except (OSError, GuestError) as error:
            self._log.say(f"the record that this disk carries cannot be moved: {error}", WARNING)

    def _are_steps_required(self) -> bool:
        try:
            return self._configuration().on_copy.required
        except ConfigurationError:
            return True  # not known, as their unit takes it

    def serve(
        self,
        listener: socket.socket,
        idle_s: float,
        leave: threading.Event,
    ) -> bool:
        """Serves clients until stopped, or idle for some time (0: for ever).

        Returns:
            Whether that is why; if not, nobody can reach this socket any more.
        """
        listener.settimeout(_ACCEPT_S)
        while not leave.is_set() and not (idle_s and self._idle_s() > idle_s):
            self._log.flush()
            CHILDREN.reap()
            try:
                self._accept(listener)
            except socket.timeout:
                if not os.path.exists(self._places.socket):
                    return False
            except (OSError, RuntimeError) as error:  # no descriptor or thread is left: later
                self._log.say(f"a client cannot be heard: {error}", ERROR)
                leave.wait(_ACCEPT_S)
        return True

    def leave(self) -> None:
        """Releases the hold: nobody else could."""
        self._left.set()
        if self._cycle is not None and self._cycle.phase != OVER:
            self._lose(self._cycle, "the holder was stopped")
            self._cycle.is_over(_THAW_S)

    def _accept(self, listener: socket.socket) -> None:
        if not self._clients.acquire(timeout=_ACCEPT_S):
            return
        try:
            peer, _ = listener.accept()
            self._busy_at_s = time.monotonic()
            threading.Thread(target=self._meet, args=(peer,), daemon=True).start()
        except BaseException:
            self._clients.release()
            raise

    def _idle_s(self) -> float:
        if self._cycle is not None and not self._cycle.is_over(0):
            return 0
        return time.monotonic() - self._busy_at_s

    def _meet(self, peer: socket.socket) -> None:
        try:
            with Connection(peer) as connection:
                self._hear(peer, connection)
        finally:
            self._clients.release()

    def _hear(self, peer: socket.socket, connection: Connection) -> None:
        try:
            process = _require_root(peer)
            line = connection.hear(_REQUEST_S, _MOST_REQUEST_BYTES)
            if line:
                self._reply(connection, messages.parse(line), process)
        except GuestError as error:
            self._report_error(connection, error)
        except Exception as error:  # noqa: BLE001  the edge: one client must not end the others
            self._log.say(f"a client: {error!r}", WARNING)
            self._report_error(connection, GuestError("holder", "answer", f"fault: {error!r}"))

    def _report_error(self, connection: Connection, error: GuestError) -> None:
        failure = Failure(error.subject, error.attempt, error.cause, error.hint)
        try:
            connection.say(**failure.fields())
        except OSError:
            self._log.say(f"its client did not wait to hear: {error}", WARNING)

    def _reply(self, connection: Connection, request: Request, asker: int) -> None:
        if isinstance(request, FreezeRequest):
            self._freeze(connection, request, asker)
        elif isinstance(request, ThawRequest):
            self._thaw(connection)
        else:
            connection.say(**self.status().fields())

    def _freeze(self, connection: Connection, request: FreezeRequest, asker: int) -> None:
        try:
            cycle, todo = self._begin(request, asker)
        except GuestError as error:
            self._log.say(f"refused: {error}", ERROR)
            raise
        try:
            self._lead(connection, cycle, todo.freeze_s + _MARGIN_S)
            while request.is_leashed and not cycle.is_released(_LOOK_S):
                if connection.is_gone():
                    self._lose(cycle, "the command around which it was held is gone")
        except Exception as error:
            self._lose(cycle, f"whoever asked for the freeze cannot be heard: {error}")
            raise

    def _lead(self, connection: Connection, cycle: Cycle, wait_s: float) -> None:
        """Leads a freeze up to the client's reply."""
        connection.say(**Wait(wait_s).fields())
        while not cycle.is_settled(_LOOK_S):
            if connection.is_gone():
                cycle.release("whoever asked for the freeze went away")
        if cycle.error:
            raise cycle.error
        try:
            connection.say(**Held().fields())
            has_it = connection.hear(_KEPT_S)
        except (OSError, ValueError):
            has_it = {}
        if not has_it:
            cycle.release("whoever asked for the freeze did not take the answer")
            self._hold.drop()  # no client knows that it was held

    def _lose(self, cycle: Cycle, why: str) -> None:
        self._hold.lose(why)
        cycle.release(why)

    def _begin(self, request: FreezeRequest, asker: int) -> "tuple[Cycle, Plan]":
        with self._beginning:
            self._require_idle()
            plan.make_folders(self._places)
            self._look_again()
            self._recovery.undo(_UNDO_S, self._hanging)
            todo = within(Deadline.after(_PLAN_S), "plan", "make it", self._plan)
            if request.filesystems is not None:
                todo = self._with_filesystems(todo, request.filesystems)
            self._hold.drop()
            busy = dict.fromkeys(self._recovery.busy, _IS_UNDONE)
            busy.update(dict.fromkeys(self._hanging, _HANGS))
            if Filesystems.KIND in [kind for kind, _ in busy]:  # the agent would hang in it as well
                raise FreezeRefused(Filesystems.KIND, "freeze", _HANGS)
            todo = todo._replace(
                asker=asker,
                has_frozen_window=not request.is_leashed,
                is_agents=qemu_agent.has_asked(asker),
                busy=busy,
            )
            said = Announcements(self._console, todo.console)
            cycle = Cycle(todo, self._records, self._hold, self._log, said)
            cycle.begin()
            self._cycle = cycle
            return cycle, todo

    def _plan(self) -> Plan:
        return plan.plan(self._places, self._kinds)

    def _require_idle(self) -> None:
        cycle = self._cycle
        if cycle is None:
            return
        if cycle.is_released(0) and not cycle.is_over(_RECORD_S):
            cause = "the record of the last one cannot be written; is its filesystem frozen?"
            raise FreezeRefused("guest", "freeze", cause)
        if not cycle.is_over(0):
            cause = f"there is a freeze already, in phase {cycle.phase}"
            raise FreezeRefused("guest", "freeze", cause, "thaw first")

    @property
    def _hanging(self) -> Collection[Instance]:
        """The instances that would break a new hold by their late release."""
        last = self._cycle.hanging if self._cycle is not None else ()
        self._abandoned = [one for one in {*self._abandoned, *last} if one.is_hanging()]
        return [one.instance for one in self._abandoned]

    def _with_filesystems(self, todo: Plan, paths: Sequence[str]) -> Plan:
        asked = "run --filesystems"
        section = Section(Filesystems.KIND, Filesystems.KIND, lock_s=todo.freeze_s, source=asked)
        last = Filesystems(section, UndoJournal(self._places.undo_journals, section), paths)
        return todo._replace(last=last)

    def _thaw(self, connection: Connection) -> None:
        cycle = self._cycle
        left: Sequence[str] = ()
        if cycle is not None and cycle.phase != OVER:
            cycle.release(THAW)
            connection.say(**Wait(_THAW_S + _MARGIN_S).fields())
            if not cycle.is_released(_THAW_S):
                names = ", ".join(cycle.releasing) or "it"
                cause = f"not done after {_THAW_S:g} s: {names}; what hangs is being abandoned"
                raise HoldLost("guest", "release everything", cause)
        else:
            left = self._undo_rest()
        hold = self._hold.read()  # not before: until it was released, it may just have begun
        causes = [f"{name}: what was noted for a hold is not undone" for name in left]
        if hold:
            self._hold.drop()
            causes += filter(None, [hold.lost])
            causes += map(str, cycle.release_errors if cycle is not None else ())
        if causes:
            what = f"thaw what was held since {hold.since}" if hold else "release everything"
            raise HoldLost("guest", what, "; ".join(causes))
        connection.say(**Thawed(hold is not None).fields())

    def _undo_rest(self) -> Sequence[str]:
        """Undoes the rest; returns names of the others, none if a freeze begins just now."""
        if not self._beginning.acquire(blocking=False):
            return ()
        cycle = self._cycle
        try:
            patience = Deadline.after(_UNDO_S)
            while self._hanging and not patience.has_passed:  # on a disk that has just been thawed
                time.sleep(_LOOK_S)
            if cycle is None or cycle.phase == OVER:
                self._recovery.undo(_UNDO_S, self._hanging)
        finally:
            self._beginning.release()
        left = self._recovery.remaining(_UNDO_AT_THAW_S)
        return left if self._cycle is cycle else ()

    def status(self) -> HolderStatus:
        """The hold, the last cycle and the origin of this disk; see docs/guest/record.md."""
        cycle = self._cycle
        return HolderStatus(
            phase=cycle.phase if cycle is not None and cycle.phase != OVER else "idle",
            hold=self._hold.read(),
            last=cycle.record if cycle is not None and cycle.record else self._records.last(),
            origin=self._records.origin(),
        )


def run(places: Places, kinds: Kinds, idle_s: float, leave: threading.Event) -> int:
    """Runs the holder until `leave` is set, or idle for `idle_s` seconds (0: for ever).

    Raises:
        ConfigurationError: its place in /run cannot be used.
    """
    plan.make_folders(places)
    lock = _lock(places)
    if lock is None:
        return 0  # another one was faster, and answers
    capacity.raise_limit()
    log = Log()
    holder = Holder(places, kinds, log)
    try:
        holder.start()
        listener = _inherit_socket() or _listen(places)
        while not holder.serve(listener, idle_s, leave):
            listener.close()
            _require_place(places, lock)
            listener = _listen(places)  # somebody has removed its socket
        listener.close()
    finally:
        holder.leave()
        log.flush()
        lock.close()
    return 0


def _require_place(places: Places, lock: IO[str]) -> None:
    """Goes on only where another holder would see this holder.

    Raises:
        GuestError: the folder was removed; a new one exists, for the hold marker.
    """
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.stat(places.lock), os.fstat(lock.fileno())):
            return
    plan.make_folders(places)
    hint = "what it held is released, and lost"
    raise GuestError("holder", "stay", f"its folder {places.run} was removed", hint)


def _inherit_socket() -> Optional[socket.socket]:
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return socket.socket(fileno=_FIRST_SOCKET)
    return None


def _listen(places: Places) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.socket)
    listener.bind(places.socket)
    os.chmod(places.socket, 0o600)
    listener.listen(_MOST_CLIENTS)
    return listener


def _lock(places: Places) -> Optional[IO[str]]:
    lock = open(places.lock, "w", encoding="ascii")  # noqa: SIM115  open as long as we live
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _require_root(peer: socket.socket) -> int:
    """Goes on only if the other end is root's, and gives its process."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, _ = struct.unpack("3i", credentials)
    if user not in (0, os.geteuid()):
        raise GuestError("holder", "answer", f"user {user} is not root")
    return int(process)
