"""Redis and Valkey.

What is in memory only is not in a copy of the disk. With an append-only file every write is in it
before it is acknowledged, or while the disk is slow up to two seconds later: that is waited for.
With snapshots (RDB) only, one is made while writes wait, and they wait to the end of the hold, so
that the copy has every acknowledged write.

The pause is the server's and outlives whoever asked for it, so it is asked for again and again for
a short time only: when this process dies, writes go on by themselves.
"""

import contextlib
import os
import threading
import time
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from guest_hooks.deadline import Deadline
from guest_hooks.driver import CRASH, Driver, Finding, Found, Report
from guest_hooks.errors import ApplicationError, CommandFailed, SessionLost
from guest_hooks.note import Note
from guest_hooks.resp import Connection
from guest_hooks.running import Process, processes
from guest_hooks.section import Section

_PAUSE_S = 2.0  # one request for a pause
_RENEWED_S = 0.5  # how often it is asked for again
_POLL_S = 0.02
_PAUSES_WRITES = (6, 2)  # CLIENT PAUSE ... WRITE; before it, a pause stops our own commands too


class _State(NamedTuple):
    facts: Dict[str, str]  # of INFO
    saves: bool  # it makes snapshots by itself

    @property
    def has_append_only_file(self) -> bool:
        return self.facts.get("aof_enabled") == "1"

    @property
    def is_replica(self) -> bool:
        return self.facts.get("role") == "slave"

    @property
    def can_pause(self) -> bool:
        """Whether writes can be made to wait: those of a replica come from elsewhere."""
        return self.version >= _PAUSES_WRITES and not self.is_replica

    @property
    def version(self) -> Tuple[int, ...]:
        return tuple(int(part) for part in self.facts["redis_version"].split(".")[:2])

    @property
    def last_save_s(self) -> float:
        return max(0.0, float(self.facts.get("rdb_last_bgsave_time_sec", "0")))


class Redis(Driver):
    """One server process."""

    KIND = "redis"
    METHODS = ("auto", "aof", "pause", "bgsave", "none")
    OPTIONS = {
        "socket": "path of its socket; goes before host and port",
        "host": "where it listens; 127.0.0.1",
        "port": "its port; 6379",
        "user": "name of an access control list's user; that of requirepass",
        "system_user": "account that it runs as; any account of the system",
        "password_file": "file with the password in its first line, root's alone",
    }

    def __init__(self, section: Section, note: Note) -> None:
        """Parse `OPTIONS`."""
        super().__init__(section, note)
        self._socket = section.text("socket")
        self._host = section.text("host", "127.0.0.1")
        self._port = section.integer("port", 6379)
        self._user = section.text("user")
        self._password = section.secret("password_file")
        self._connection: Optional[Connection] = None
        self._method = ""
        self._saved = ""
        self._warnings: List[str] = []
        self._can_pause = False

    @classmethod
    def discover(cls) -> Sequence[Found]:
        """By the sockets on which the processes accept connections."""
        return [_found(one) for one in processes("redis-server", "valkey-server")]

    @property
    def instance(self) -> str:
        """The socket, or host and port."""
        return os.path.realpath(self._socket) if self._socket else f"{self._host}:{self._port}"

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Whether it answers, and what would be done."""
        try:
            method = self._choose(self._connect(deadline))
        finally:
            self._disconnect()
        answers = Finding(True, f"{self.section.name}: answers; method {method}")
        return [answers] + [Finding(False, each, is_blocking=False) for each in self._warnings]

    def prepare(self, deadline: Deadline) -> None:
        """Choose the method; `bgsave` is done here, beside the other applications."""
        try:
            self._method = self._choose(self._connect(deadline))
            if self._method == "bgsave":
                self._save(deadline)
                self._warnings.append(f"writes after {self._saved} UTC are not in the copy")
        except ApplicationError:
            self._disconnect()
            raise

    @contextlib.contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """Only `pause` holds something: writes wait."""
        try:
            if self._method == "pause":
                with self._pause(deadline) as pause:
                    self._save(deadline)
                    pause.require_unbroken()
                    yield self._report(deadline)
                    pause.require_unbroken()
            else:
                if self._method == "aof" and self._can_pause:
                    with self._pause(deadline):
                        self._wait_for("aof_buffer_length", deadline)
                report = self._report(deadline)
                self._disconnect()
                yield report
        finally:
            self._disconnect()

    def _pause(self, deadline: Deadline) -> "_Pause":
        return _Pause(self._new_connection, self.section.name, deadline)

    def _choose(self, state: _State) -> str:
        chosen = self.section.method or "auto"
        self._warnings = []
        self._can_pause = state.can_pause
        if chosen == "auto":
            chosen = self._best(state)
        if chosen == "pause" and not state.can_pause:
            cause = (
                f"impossible with version {state.facts['redis_version']} as {state.facts['role']}"
            )
            raise CommandFailed(self.section.name, "pause writes", cause, "method = bgsave")
        if chosen == "aof" and not state.has_append_only_file:
            raise CommandFailed(
                self.section.name,
                "rely on its append-only file",
                "appendonly is no",
                "method = auto",
            )
        if chosen == "none":
            self._warnings.append("what is in memory only is not in the copy")
        elif state.has_append_only_file and state.facts.get("aof_last_write_status") != "ok":
            raise CommandFailed(
                self.section.name, "rely on its append-only file", "its last write failed"
            )
        return chosen

    def _best(self, state: _State) -> str:
        if state.has_append_only_file:
            return "aof"
        if not state.saves:
            return "none"
        is_short = state.last_save_s < self.section.lock_s / 2
        return "pause" if state.can_pause and is_short else "bgsave"

    def _report(self, deadline: Deadline) -> Report:
        facts = self._facts(deadline)
        position = {"replication_offset": facts["master_repl_offset"], "run_id": facts["run_id"]}
        if self._saved:
            position["saved"] = self._saved
        kept, method = {
            "aof": ("every write that was acknowledged before the freeze", "append-only file"),
            "pause": ("every write that was acknowledged", "CLIENT PAUSE WRITE, BGSAVE"),
            "bgsave": (f"every write that was acknowledged before {self._saved} UTC", "BGSAVE"),
            "none": ("what its files had before", "none"),
        }[self._method]
        level = {"none": CRASH}.get(self._method)
        report = Report(method, position, (kept,), tuple(self._warnings))
        return report._replace(level=level) if level else report

    def _save(self, deadline: Deadline) -> None:
        """A snapshot that began after this was called, on the disk when it returns."""
        self._wait_for("rdb_bgsave_in_progress", deadline)  # somebody else's began earlier
        self._saved = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self._ask(deadline, "BGSAVE")
        facts = self._wait_for("rdb_bgsave_in_progress", deadline)
        if facts["rdb_last_bgsave_status"] != "ok":
            raise CommandFailed(self.section.name, "BGSAVE", "it failed; see the server's log")

    def _wait_for(self, fact: str, deadline: Deadline) -> Dict[str, str]:
        """Until it is 0."""
        while True:
            facts = self._facts(deadline)
            if facts.get(fact, "0") == "0":
                return facts
            deadline.require(self.section.name, f"wait for {fact} = 0")
            time.sleep(_POLL_S)

    def _facts(self, deadline: Deadline) -> Dict[str, str]:
        lines = str(self._ask(deadline, "INFO")).splitlines()
        pairs = (line.split(":", 1) for line in lines if ":" in line)
        return {key: value.strip() for key, value in pairs}

    def _connect(self, deadline: Deadline) -> _State:
        hint = "see the options socket, host, port, user and password_file"
        with self.reaching(deadline, hint, f"connect to {self.instance}") as patience:
            self._connection = self._new_connection(patience)
            facts = self._facts(patience)
        return _State(facts, self._saves(deadline))

    def _saves(self, deadline: Deadline) -> bool:
        """Unknown where CONFIG is taken away; a snapshot that nobody wanted is the lesser evil."""
        try:
            answer = self._ask(deadline, "CONFIG", "GET", "save")
        except CommandFailed:
            return True
        return not isinstance(answer, list) or any(answer[1:])

    def _new_connection(self, deadline: Deadline) -> Connection:
        address = self._socket or (self._host, self._port)
        connection = Connection(self.section.name, address, deadline)
        if self._password is not None:
            user = [self._user] if self._user else []
            try:
                connection.ask(deadline, "AUTH", *user, self._password.decode())
            except ApplicationError:
                connection.close()
                raise
        return connection

    def _ask(self, deadline: Deadline, *words: str) -> object:
        if self._connection is None:
            raise SessionLost(self.section.name, words[0], "it was not prepared")
        return self._connection.ask(deadline, *words)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Pause:
    """Writes wait inside the block; it has a connection and a thread of its own."""

    def __init__(
        self, connect: Callable[[Deadline], Connection], subject: str, deadline: Deadline
    ) -> None:
        self._subject = subject
        self._connection = connect(deadline)
        self._over = threading.Event()
        self._renewed_s = time.monotonic()
        self._broken = ""
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> "_Pause":
        self._ask_for_it(Deadline.after(_PAUSE_S))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        try:
            self._connection.ask(Deadline.after(_PAUSE_S), "CLIENT", "UNPAUSE")
        except ApplicationError as error:
            self._broken = self._broken or str(error)  # it ends by itself: _PAUSE_S
        self._connection.close()

    def require_unbroken(self) -> None:
        """Go on only if writes have waited all the time."""
        if self._broken:
            raise SessionLost(self._subject, "keep writes paused", self._broken)

    def _renew(self) -> None:
        try:
            while not self._broken and not self._over.wait(_RENEWED_S):
                self._ask_for_it(Deadline.after(_PAUSE_S))
        except ApplicationError as error:
            self._broken = error.cause

    def _ask_for_it(self, deadline: Deadline) -> None:
        milliseconds = str(int(_PAUSE_S * 1000))
        self._connection.ask(deadline, "CLIENT", "PAUSE", milliseconds, "WRITE")
        late_s = time.monotonic() - self._renewed_s - _PAUSE_S
        if late_s > 0:
            self._broken = f"asked for again {late_s:.1f} s too late"
        self._renewed_s = time.monotonic()


def _found(process: Process) -> Found:
    sockets, ports = process.sockets(), process.ports()
    where = sockets[0] if sockets else f"{ports[0]}" if ports else str(process.number)
    name = f"{Redis.KIND}:{where}"
    if process.is_in_container:
        return Found(name, {}, "it runs in a container: say how to reach it")
    if sockets:
        return Found(name, {"socket": sockets[0]}, process=process.number)
    if not ports:
        return Found(name, {}, "it accepts no connections")
    return Found(name, {"port": str(ports[0])}, process=process.number)
