"""The holder: the one process that lives from freeze to thaw.

It has everything imported before a disk freezes, writes nothing to a disk while it holds, and
answers on a socket in /run. Threads: one accepts, one per client answers, one walks through the
cycle, one per application drives it; so that whoever hangs, the others go on.
"""

import contextlib
import fcntl
import json
import os
import socket
import struct
import threading
import time
from typing import IO, Any, Dict, Optional, Sequence

from guest_hooks import plan, reconciliation, record
from guest_hooks.connection import Connection
from guest_hooks.cycle import OVER, Cycle
from guest_hooks.deadline import Deadline
from guest_hooks.errors import FreezeRefused, GuestError, HoldLost
from guest_hooks.filesystems import Filesystems
from guest_hooks.hold import Hold
from guest_hooks.log import ERROR, WARNING, Log
from guest_hooks.note import Note
from guest_hooks.places import Places
from guest_hooks.plan import Kinds, Plan
from guest_hooks.record import Records
from guest_hooks.section import Section
from guest_hooks.worker import within

_FIRST_SOCKET = 3  # of systemd's socket activation
_LOOK_S = 0.02
_ACCEPT_S = 0.5
_QUESTION_S = 5.0
_KEPT_S = 2.0  # for a client to say that it got its answer
_MARGIN_S = 3.0  # beyond the longest that a phase should take
_THAW_S = 15.0  # KubeVirt gives up after 20
_PLAN_S = 5.0
_RECORD_S = 2.0


class Holder:
    """Answers clients, one cycle at a time."""

    def __init__(self, places: Places, kinds: Kinds, log: Log) -> None:
        self._places = places
        self._kinds = kinds
        self._log = log
        self._records = Records(places.state)
        self._hold = Hold(places.hold)
        self._cycle: Optional[Cycle] = None
        self._beginning = threading.Lock()
        self._busy_at_s = time.monotonic()

    def start(self) -> None:
        """Undo what a holder before this one left behind, and find out whose disk this is."""
        reconciliation.reconcile(self._places, (*self._kinds, Filesystems), self._log)
        hold = self._hold.read()
        if hold and not hold["lost"]:
            self._hold.lose("the holder was killed, and with it all sessions")
            self._log.say("the holder before this one was killed while it held", ERROR)
        try:
            origin = within(Deadline.after(_RECORD_S), "record", "read", self._records.recognise)
        except (OSError, GuestError) as error:
            self._log.say(f"the record cannot be moved: {error}", WARNING)
            origin = self._records.origin()
        if origin:
            self._log.say(record.told(origin), WARNING)

    def serve(self, listener: socket.socket, idle_s: float, leave: threading.Event) -> bool:
        """Answer, until told to leave, or there was nothing to do for some time (0: for ever).

        Returns:
            Whether that is why; if not, nobody can reach this socket any more.
        """
        listener.settimeout(_ACCEPT_S)
        while not leave.is_set() and not (idle_s and self._idle_s() > idle_s):
            self._log.flush()
            try:
                peer, _ = listener.accept()
            except socket.timeout:
                if not os.path.exists(self._places.socket):
                    return False
                continue
            self._busy_at_s = time.monotonic()
            threading.Thread(target=self._meet, args=(peer,), daemon=True).start()
        return True

    def leave(self) -> None:
        """Release what is held: nobody else could."""
        if self._cycle is not None and self._cycle.phase != OVER:
            self._lose(self._cycle, "the holder was told to leave")
            self._cycle.is_over(_THAW_S)

    def _idle_s(self) -> float:
        if self._cycle is not None and not self._cycle.is_over(0):
            return 0
        return time.monotonic() - self._busy_at_s

    def _meet(self, peer: socket.socket) -> None:
        with Connection(peer) as connection:
            try:
                _require_root(peer)
                self._answer(connection, connection.hear(_QUESTION_S))
            except GuestError as error:
                self._tell(connection, error)
            except Exception as error:  # noqa: BLE001  the edge: one client must not end the others
                self._log.say(f"a client: {error!r}", WARNING)
                self._tell(connection, GuestError("holder", "answer", f"fault: {error!r}"))

    def _tell(self, connection: Connection, error: GuestError) -> None:
        try:
            connection.say(
                subject=error.subject, attempt=error.attempt, error=error.cause, hint=error.hint
            )
        except OSError:
            self._log.say(f"its client did not wait to hear: {error}", WARNING)

    def _answer(self, connection: Connection, question: Dict[str, str]) -> None:
        verb = question.get("verb")
        if verb == "freeze":
            self._freeze(connection, question)
        elif verb == "thaw":
            self._thaw(connection)
        elif verb == "status":
            connection.say(status=json.dumps(self.status()))
        elif question:
            raise GuestError("holder", f"answer {question!r}", "not a question of this version")

    def _freeze(self, connection: Connection, question: Dict[str, str]) -> None:
        try:
            cycle, todo = self._begin(question)
        except GuestError as error:
            self._log.say(f"refused: {error}", ERROR)
            raise
        connection.say(wait_s=str(todo.freeze_s + _MARGIN_S))
        while not cycle.is_settled(_LOOK_S):
            if connection.is_gone():
                cycle.release("whoever asked for the freeze went away")
        if cycle.error:
            raise cycle.error
        try:
            connection.say(is_held="1")
            has_it = connection.hear(_KEPT_S)
        except (OSError, ValueError):
            has_it = {}
        if not has_it:
            cycle.release("whoever asked for the freeze did not take the answer")
            self._hold.drop()  # nobody was told that it was held
        while question.get("is_leashed") and not cycle.is_released(_LOOK_S):
            if connection.is_gone():
                self._lose(cycle, "the command around which it was held is gone")

    def _lose(self, cycle: Cycle, why: str) -> None:
        self._hold.lose(why)
        cycle.release(why)

    def _begin(self, question: Dict[str, str]) -> "tuple[Cycle, Plan]":
        with self._beginning:
            self._require_idle()
            reconciliation.reconcile(self._places, (*self._kinds, Filesystems), self._log)
            todo = within(Deadline.after(_PLAN_S), "plan", "make it", self._plan)
            if "filesystems" in question:
                todo = self._with_filesystems(todo, json.loads(question["filesystems"]))
            self._hold.drop()
            self._cycle = Cycle(todo, self._records, self._hold, self._log)
            self._cycle.begin()
            return self._cycle, todo

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
        for name in cycle.hanging:  # its late release would break the new hold
            raise FreezeRefused(name, "freeze", "its driver still hangs in the freeze before")

    def _with_filesystems(self, todo: Plan, paths: Sequence[str]) -> Plan:
        section = Section(Filesystems.KIND, Filesystems.KIND, lock_s=todo.freeze_s)
        last = Filesystems(section, Note(self._places.notes, section), paths)
        return todo._replace(last=last)

    def _thaw(self, connection: Connection) -> None:
        cycle = self._cycle
        if cycle is not None and cycle.phase != OVER:
            cycle.release("thaw")
            connection.say(wait_s=str(_THAW_S + _MARGIN_S))
            if not cycle.is_released(_THAW_S):
                cause = f"not done after {_THAW_S:g} s; what hangs is being abandoned"
                raise HoldLost("guest", "release everything", cause)
        hold = self._hold.read()  # not before: until it was released, it may just have begun
        lost = (hold or {}).get("lost", "")
        errors = list(cycle.release_errors) if cycle is not None and hold else []
        if hold:
            self._hold.drop()
        if lost or errors:
            causes = "; ".join([*([lost] if lost else []), *map(str, errors)])
            since = (hold or {}).get("since")
            raise HoldLost("guest", f"thaw what was held since {since}", causes)
        connection.say(was_held="1" if hold else "")

    def status(self) -> Dict[str, Any]:
        """What is held, the last cycle and the origin of this disk; see docs/guest/record.md."""
        cycle = self._cycle
        return {
            "phase": cycle.phase if cycle is not None and cycle.phase != OVER else "idle",
            "hold": self._hold.read(),
            "last": cycle.record if cycle is not None and cycle.record else self._records.last(),
            "origin": self._records.origin(),
        }


def run(places: Places, kinds: Kinds, idle_s: float, leave: threading.Event) -> int:
    """Be the holder, until `leave` is set or nothing was to do for `idle_s` seconds (0: for ever).

    Raises:
        ConfigurationError: its place in /run cannot be used.
    """
    plan.make_folders(places)
    lock = _locked(places)
    if lock is None:
        return 0  # another one was faster, and answers
    log = Log()
    holder = Holder(places, kinds, log)
    holder.start()
    listener = _inherited() or _bound(places)
    while not holder.serve(listener, idle_s, leave):
        listener.close()  # somebody has removed its socket
        listener = _bound(places)
    listener.close()
    holder.leave()
    log.flush()
    lock.close()
    return 0


def _inherited() -> Optional[socket.socket]:
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return socket.socket(fileno=_FIRST_SOCKET)
    return None


def _bound(places: Places) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.socket)
    listener.bind(places.socket)
    os.chmod(places.socket, 0o600)
    listener.listen(16)
    return listener


def _locked(places: Places) -> Optional[IO[str]]:
    lock = open(places.lock, "w", encoding="ascii")  # noqa: SIM115  open as long as we live
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _require_root(peer: socket.socket) -> None:
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user = struct.unpack("3i", credentials)[1]
    if user not in (0, os.geteuid()):
        raise GuestError("holder", "answer", f"user {user} is not root")
