"""Redis, Valkey and KeyDB.

A copy of the disk lacks what is in memory only. An append-only file has every write before the
acknowledgement, but while the disk is slow (as a frozen disk is) up to two seconds later, unless
synced always: so writes wait from then on, for as long as the hold lasts. With snapshots (RDB)
only, a snapshot is made while writes wait, so that the copy has every acknowledged write; a slow
snapshot is made before, and a snapshot too slow for that as well is not begun: it would cost memory
and disk, and be there too late.

The pause is the server's and outlives its client, so short pauses are requested again and again:
when this process dies, writes go on by themselves.
"""

import contextlib
import os
import threading
import time
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Driver, Finding, Report
from stillpoint_guest.drivers.redis.client import RespConnection
from stillpoint_guest.drivers.redis.info import Info, parse
from stillpoint_guest.errors import (
    ApplicationError,
    CommandFailed,
    DeadlinePassed,
    Refused,
    SessionLost,
)
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.process_table import Process
from stillpoint_guest.sockets import peer
from stillpoint_guest.sockets.ways import Way
from stillpoint_guest.state.undo_journal import UndoJournal

_HOST = "127.0.0.1"
_SENTINEL = "redis-sentinel"
_PAUSE_S = 2.0  # one request for a pause
_RENEWED_S = 0.5  # how often it is asked for again
_POLL_S = 0.02
_WORDS_S = 0.5  # kept of a deadline, to go on without what was not done by then
_PAUSES_WRITES = (6, 2)  # CLIENT PAUSE ... WRITE; before it, a pause stops our own commands too
_BOOT_CLOCK = 7  # CLOCK_BOOTTIME in linux/time.h; Python 3.7 has a name for it
_ROOM = "appendonly = yes, or a longer prepare_s"
_ALL = "every write that was acknowledged"


class _Persistence(NamedTuple):
    """A server's persistence, as configured; a guess where CONFIG is taken away."""

    saves: bool = True  # a snapshot that nobody wanted is the lesser evil
    syncs_always: bool = False
    folders: Tuple[str, ...] = ()


class Redis(Driver):
    """A server process of Redis, Valkey or KeyDB."""

    KIND = "redis"
    PROGRAMS = ("redis-server", "valkey-server", "keydb-server", "redict-server")
    REACHED_BY = ("socket", "host", "port")
    METHODS = ("auto", "aof", "pause", "bgsave", "none")
    OPTIONS = {
        "socket": "path of its socket; goes before host and port",
        "host": "where it listens; 127.0.0.1",
        "port": "its port; 6379",
        "user": "name of an access control list's user; that of requirepass",
        "system_user": "account that it runs as; any account of the system",
        "password_file": "file with the password in its first line, root's alone",
    }

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses `OPTIONS`."""
        super().__init__(section, journal)
        self._socket = section.text("socket")
        self._host = section.text("host", _HOST)
        self._port = section.port("port", 6379)
        self._user = section.text("user")
        self._password = section.secret("password_file")
        self._connection: Optional[RespConnection] = None
        self._keeping = _Persistence()
        self._method = ""
        self._level = APPLICATION
        self._saved = ""
        self._warnings: List[str] = []
        self._pauses = False  # whether writes wait in the hold

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """Detects a server by its socket or port; a Sentinel keeps no data."""
        if process.program == _SENTINEL or _is_sentinel(process.arguments):
            return None
        sockets, addresses = process.sockets(), process.addresses()
        if sockets:
            return Found(f"{cls.KIND}:{process.own(sockets[0])}", {"socket": sockets[0]})
        if not addresses:
            return Found(f"{cls.KIND}:{process.number}", {}, "it accepts no connections")
        host, port = addresses[0]
        options = {"port": str(port)} if host == _HOST else {"host": host, "port": str(port)}
        return Found(f"{cls.KIND}:{port}", options)

    @property
    def ways(self) -> Sequence[Way]:
        """The socket, or host and port."""
        return [self._socket or (self._host, self._port)]

    @property
    def instance(self) -> str:
        """The socket, or host and port."""
        return trust.real_path(self._socket) if self._socket else f"{self._host}:{self._port}"

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Probes if the server answers; finds what would be done."""
        try:
            self._choose(self._connect(deadline), self.section.prepare_s)
        finally:
            self._disconnect()
        text = f"{self.section.name}: answers; method {self._method}"
        answers = Finding(True, text, folders=self._keeping.folders)
        name = self.section.name
        found = [Finding(False, f"{name}: {each}", is_blocking=False) for each in self._warnings]
        return [answers, *found]

    def prepare(self, deadline: Deadline) -> None:
        """Chooses the method; `bgsave` is done here, beside the other applications."""
        try:
            info = self._connect(deadline)
            self._choose(info, min(self.section.prepare_s, deadline.remaining_s))
            if self._method == "bgsave":
                self._within_time(self._save, deadline)
        except ApplicationError:
            self._disconnect()
            raise

    @contextlib.contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """Writes wait, unless there is nothing that they would be kept for."""
        try:
            if self._pauses:
                with _Pause(self._new_connection, self.section.name, deadline) as pause:
                    self._within_time(
                        self._save if self._method == "pause" else self._write_out, deadline
                    )
                    pause.require_unbroken()
                    yield self._report(deadline)
                    pause.require_unbroken()
            else:
                report = self._report(deadline)
                self._disconnect()
                yield report
        finally:
            self._disconnect()

    def _choose(self, info: Info, prepare_s: float) -> None:
        """Chooses the method, with its warnings; nothing is begun that cannot end in time."""
        asked = self.section.method or "auto"
        self._warnings = []
        self._level = APPLICATION
        if info.is_sentinel:
            self._method, self._pauses = "sentinel", False
            return
        self._require_possible(asked, info)
        self._method = self._best(info, prepare_s) if asked == "auto" else asked
        can_pause = _can_pause(info)
        self._pauses = self._method == "pause" or (
            self._method == "aof" and can_pause and not self._keeping.syncs_always
        )
        if self._method == "aof" and not (self._pauses or self._keeping.syncs_always):
            why = "a replica" if info.is_replica else f"version {info.version_text}"
            self._lower(
                f"its writes cannot be paused ({why}) and appendfsync is not always, so that the"
                " last two seconds before the snapshot may be missing in its append-only file"
            )
        if self._method == "none":
            self._lower("what is in memory only is not in the copy")
        if self._method == "bgsave":
            self._lower("writes after its snapshot, which is made before the freeze, are missing")
        if self._method in ("pause", "bgsave"):
            self._require_time(info, prepare_s)

    def _require_possible(self, asked: str, info: Info) -> None:
        name = self.section.name
        if asked == "pause" and not _can_pause(info):
            role = "replica" if info.is_replica else "primary"
            cause = f"impossible with version {info.version_text} as {role}"
            raise CommandFailed(name, "pause writes", cause, "method = bgsave")
        attempt = "rely on its append-only file"
        if asked == "aof" and not info.has_append_only_file:
            raise CommandFailed(name, attempt, "appendonly is no", "method = auto")
        is_used = asked != "none" and info.has_append_only_file
        if is_used and not info.can_write_append_only_file:
            raise CommandFailed(name, attempt, "its last write failed")

    def _best(self, info: Info, prepare_s: float) -> str:
        if info.has_append_only_file:
            return "aof"
        if not self._keeping.saves:
            return "none"
        if _can_pause(info) and info.snapshot_s < self.section.lock_s / 2:
            return "pause"
        if info.snapshot_s < prepare_s - _WORDS_S:
            return "bgsave"
        self._warnings.append(f"{_too_long(info, prepare_s)} prepare_s; HINT: {_ROOM}")
        return "none"

    def _require_time(self, info: Info, prepare_s: float) -> None:
        is_paused = self._method == "pause"
        time_s, key = (self.section.lock_s, "lock_s") if is_paused else (prepare_s, "prepare_s")
        if info.snapshot_s >= time_s:
            cause = f"{_too_long(info, time_s)} {key}"
            hint = f"method = auto, appendonly = yes, or a longer {key}"
            raise Refused(self.section.name, f"begin method {self._method}", cause, hint)

    def _within_time(self, step: Callable[[Deadline], None], deadline: Deadline) -> None:
        """Lets a method that is too slow cost the level, not the freeze."""
        try:
            step(Deadline(deadline.at_s - min(_WORDS_S, deadline.remaining_s / 2)))
        except DeadlinePassed as error:
            if self.section.method not in ("", "auto"):
                raise
            self._method = "none"
            self._warnings = []
            self._lower(
                f"what is in memory only is not in the copy: {error.attempt}: {error.cause}"
            )

    def _lower(self, warning: str) -> None:
        self._level = CRASH
        self._warnings.append(warning)

    def _report(self, deadline: Deadline) -> Report:
        info = self._info(deadline)
        position = {"run_id": info.run_id}
        if not info.is_sentinel:
            position["replication_offset"] = info.replication_offset
        if self._saved:
            position["saved"] = self._saved
        pausing = "CLIENT PAUSE WRITE, " if self._pauses else ""
        before = "what was in its append-only file"
        kept, method = {
            "aof": (before if self._level == CRASH else _ALL, f"{pausing}append-only file"),
            "pause": (_ALL, f"{pausing}BGSAVE"),
            "bgsave": (f"every write that was acknowledged before {self._saved} UTC", "BGSAVE"),
            "none": ("what its files had before", "none"),
            "sentinel": ("all: a Sentinel has no data but its configuration", "none needed"),
        }[self._method]
        warnings = tuple(self._warnings)
        folders = self._keeping.folders
        return Report(method, position, (kept,), warnings, self._level, folders)

    def _save(self, deadline: Deadline) -> None:
        """Waits for a snapshot that began after this call."""
        self._wait("is_saving", deadline)  # somebody else's began earlier
        saved = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self._ask(deadline, "BGSAVE")
        if not self._wait("is_saving", deadline).could_save:
            raise CommandFailed(self.section.name, "BGSAVE", "it failed; see the server's log")
        self._saved = saved

    def _write_out(self, deadline: Deadline) -> None:
        self._wait("unwritten_bytes", deadline)

    def _wait(self, fact: str, deadline: Deadline) -> Info:
        """Waits until the fact is 0, or false."""
        while True:
            info = self._info(deadline)
            if not getattr(info, fact):
                return info
            deadline.require(self.section.name, f"wait until not {fact}")
            time.sleep(_POLL_S)

    def _info(self, deadline: Deadline) -> Info:
        return parse(self.section.name, self._ask(deadline, "INFO"))

    def _connect(self, deadline: Deadline) -> Info:
        hint = "see the options socket, host, port, user and password_file"
        with self.reaching(deadline, hint, f"connect to {self.instance}") as patience:
            self._connection = self._new_connection(patience)
            info = self._info(patience)
        if not info.is_sentinel:
            self._keeping = self._read_persistence(deadline)
        return info

    def _read_persistence(self, deadline: Deadline) -> _Persistence:
        folder = self._config_get("dir", deadline)
        folders = [folder] if folder else working_folders(self.section.process)
        own = self._config_get("appenddirname", deadline)
        if folder and own:
            folders.append(os.path.join(folder, own))
        return _Persistence(
            self._config_get("save", deadline) != "",
            self._config_get("appendfsync", deadline) == "always",
            tuple(folders),
        )

    def _config_get(self, key: str, deadline: Deadline) -> Optional[str]:
        """The value of a setting; None if unknown."""
        try:
            answer = self._ask(deadline, "CONFIG", "GET", key)
        except CommandFailed:
            return None
        if isinstance(answer, list) and len(answer) == 2 and isinstance(answer[1], str):
            return answer[1]
        return None

    def _new_connection(self, deadline: Deadline) -> RespConnection:
        """A connection to the verified server: only then is a password sent."""
        self._require_peer(None)
        address = self._socket or (self._host, self._port)
        connection = RespConnection(self.section.name, address, deadline)
        try:
            self._require_peer(connection)
            if self._password is not None:
                user = [self._user] if self._user else []
                connection.ask(deadline, "AUTH", *user, self._password.decode())
        except ApplicationError:
            connection.close()
            raise
        return connection

    def _require_peer(self, connection: Optional[RespConnection]) -> None:
        """Called before and after the connect: nobody can take the server's place in between."""
        users = peer.users(self.section)
        user = users[0] if users else None
        if not self._socket:
            peer.require_listener(self._host, self._port, users)
        elif connection is None:
            peer.require_path(self._socket, users)
        else:
            own = connection.peer.socket
            peer.require_peer(own, self._socket, self.section.process, user)

    def _ask(self, deadline: Deadline, *words: str) -> object:
        if self._connection is None:
            raise SessionLost(self.section.name, words[0], "it was not prepared")
        return self._connection.ask(deadline, *words)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Pause:
    """Makes writes wait inside the block; has a connection and a thread of its own."""

    def __init__(
        self, connect: Callable[[Deadline], RespConnection], subject: str, deadline: Deadline
    ) -> None:
        self._subject = subject
        self._connection = connect(deadline)
        self._over = threading.Event()
        self._asked_at = _clocks()
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
        """Goes on only if writes have waited all the time."""
        broken = self._broken or self._lateness()
        if broken:
            raise SessionLost(self._subject, "keep writes paused", broken)

    def _renew(self) -> None:
        try:
            while not self._broken and not self._over.wait(_RENEWED_S):
                self._ask_for_it(Deadline.after(_PAUSE_S))
        except ApplicationError as error:
            self._broken = error.cause

    def _ask_for_it(self, deadline: Deadline) -> None:
        asked_at = _clocks()
        milliseconds = str(int(_PAUSE_S * 1000))
        self._connection.ask(deadline, "CLIENT", "PAUSE", milliseconds, "WRITE")
        self._broken = self._broken or self._lateness()
        self._asked_at = asked_at

    def _lateness(self) -> str:
        """The cause if the last requested pause is over; "" if not."""
        passed_s = max(now - then for now, then in zip(_clocks(), self._asked_at))
        late_s = passed_s - _PAUSE_S
        return f"asked for again {late_s:.1f} s too late" if late_s > 0 else ""


def _clocks() -> Tuple[float, float]:
    """The two clocks by which a server may end its pause: steps and standstills show."""
    return time.clock_gettime(_BOOT_CLOCK), time.time()


def _can_pause(info: Info) -> bool:
    """True if writes can be made to wait: a replica's come from elsewhere."""
    return info.version >= _PAUSES_WRITES and not info.is_replica


def _too_long(info: Info, time_s: float) -> str:
    return f"a snapshot takes about {info.snapshot_s:.0f} s, and there are {time_s:.1f} s of"


def working_folders(number: int) -> List[str]:
    """The working folder of a process, where Redis saves; [] if unknown."""
    try:
        return [os.readlink(f"/proc/{number}/cwd")] if number else []
    except OSError:
        return []


def _is_sentinel(arguments: Sequence[str]) -> bool:
    """True for a Sentinel, by the rules and the process title of Redis (`checkForSentinelMode`)."""
    title = arguments[0].split(" ", 1)
    return _SENTINEL in title[0] or "--sentinel" in arguments or arguments[0].endswith("[sentinel]")
