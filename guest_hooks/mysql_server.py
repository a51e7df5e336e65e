"""What MariaDB and MySQL have in common; their drivers choose the lock.

A lock lives as long as the session that took it. The durability of commits is a setting of the
server and does not: it is noted in /run before it is changed, and put back by the next holder if
this one dies.
"""

import contextlib
import math
import os
import shutil
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from guest_hooks.command import ENVIRONMENT, SECRET, Dialect, Program, Session
from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Finding, Found, Report
from guest_hooks.errors import (
    ApplicationError,
    DeadlinePassed,
    Refused,
    SessionLost,
)
from guest_hooks.note import Note
from guest_hooks.running import Process
from guest_hooks.section import Section

DIALECT = Dialect(marker="SELECT '{}';", error_prefixes=("ERROR",))
DURABILITY = "innodb_flush_log_at_trx_commit"
_LONG_STATEMENT_S = 2
_SURVEY_S = 2.0  # at most, for a look at every table
_KILL_S = 0.5  # kept of the time for the lock: a second client ends the first one's connection
_STATE = f"SELECT VERSION(), CONNECTION_ID(), @@GLOBAL.{DURABILITY}, @@GLOBAL.log_bin;"
_LONG_STATEMENTS = (
    "SELECT ID, TIME, USER, IFNULL(DB, ''), UPPER(SUBSTRING_INDEX(TRIM(INFO), ' ', 1))"
    " FROM information_schema.PROCESSLIST"
    " WHERE COMMAND IN ('Query', 'Execute') AND TIME >= {} AND ID <> CONNECTION_ID()"
    " AND USER NOT IN ('system user', 'event_scheduler') ORDER BY TIME DESC;"
)
_OTHER_ENGINES = (
    "SELECT ENGINE, COUNT(*), MIN(CONCAT(TABLE_SCHEMA, '.', TABLE_NAME))"
    " FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
    " AND TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' GROUP BY ENGINE ORDER BY ENGINE;"
)


class Lock(NamedTuple):
    """How a server is brought to rest."""

    method: str  # as in METHODS
    statements: Sequence[str]  # that lock, in this order
    release: str
    waits_for_reads: bool  # a long SELECT would make it wait, and everybody behind it
    stops_every_engine: bool  # else only changes of definitions; commits go on


GLOBAL_READ_LOCK = Lock("ftwrl", ("FLUSH TABLES WITH READ LOCK;",), "UNLOCK TABLES;", True, True)


class State(NamedTuple):
    """A server, as it answered."""

    version: Sequence[int]
    version_text: str
    connection: str
    durability: str
    has_binary_log: bool
    engines: Optional[Sequence[str]]  # of tables that are not InnoDB's; None: not known


class MySQLServer(Driver):
    """One server process."""

    CLIENTS: Sequence[str] = ()
    OPTIONS = {
        "socket": "path of its socket; where the client looks by itself",
        "host": "where it listens, instead of a socket",
        "port": "its port; 3306",
        "user": "account; root",
        "password_file": "file with its password in the first line, root's alone",
        "defaults_file": "option file of the client with the account, root's alone",
        "client": "the program",
        "system_user": "account that it runs as; any account of the system",
        "long_statement_s": f"refuse behind a statement that runs as long; {_LONG_STATEMENT_S}",
    }

    def __init__(self, section: Section, note: Note) -> None:
        """Parse `OPTIONS`."""
        super().__init__(section, note)
        self._socket = section.text("socket")
        self._host = section.text("host")
        self._port = section.integer("port", 3306)
        self._password = section.secret("password_file")
        self._long_statement_s = section.seconds("long_statement_s", _LONG_STATEMENT_S)
        self._session: Optional[Session] = None
        self.state: Optional[State] = None
        self._warnings: List[str] = []

    @property
    def instance(self) -> str:
        """The socket, or host and port; /var/run is a link to /run."""
        if self._socket:
            return os.path.realpath(self._socket)
        return f"{self._host or 'localhost'}:{self._port}"

    def lock_for(self, state: State) -> Lock:
        """The lock that this server needs.

        Raises:
            ApplicationError: the configured method is not for this server.
        """
        raise NotImplementedError

    def position(self, deadline: Deadline) -> Dict[str, str]:
        """Where it stands."""
        raise NotImplementedError

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Whether it answers, what would be done, and what stands in the way now."""
        try:
            state = self._connect(deadline)
            lock = self.lock_for(state)
            self._refuse_long_statements(lock, deadline)
        finally:
            self._disconnect(deadline)
        text = f"{self.section.name}: version {state.version_text} answers; method {lock.method}"
        return [Finding(True, text)]

    def prepare(self, deadline: Deadline) -> None:
        """Connect, and write what has gathered, so that less is to be written under the lock."""
        try:
            self.state = self._connect(deadline)
            self.lock_for(self.state)
            self.ask("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS;", deadline)
        except ApplicationError:
            self._disconnect(Deadline.after(0))
            raise

    @contextlib.contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """Locked, and every commit that still comes is on the disk before it is acknowledged."""
        if self.state is None:
            raise SessionLost(self.section.name, "lock", "it was not prepared")
        lock = self.lock_for(self.state)
        with self._durable(self.state, deadline):
            try:
                self._take(lock, deadline)
                yield self._report(lock, deadline)
                self._release(lock, Deadline.after(self.section.release_s))
            finally:
                self._disconnect(Deadline.after(self.section.release_s))

    def reconcile(self, noted: Mapping[str, str], deadline: Deadline) -> None:
        """Put the durability back, if it is still as we set it."""
        try:
            self._connect(deadline)
            self._put_back(noted[DURABILITY], deadline)
        finally:
            self._disconnect(deadline)

    def ask(self, statement: str, deadline: Deadline) -> Sequence[str]:
        """The lines of the answer, columns separated by tabs.

        Raises:
            ApplicationError: as `Session.ask`.
        """
        if self._session is None:
            raise SessionLost(self.section.name, statement, "it was not prepared")
        return self._session.ask(statement, deadline)

    @contextlib.contextmanager
    def _durable(self, state: State, deadline: Deadline) -> Iterator[None]:
        if state.durability == "1":
            yield
            return
        self.note.write({DURABILITY: state.durability})
        try:
            self.ask(f"SET GLOBAL {DURABILITY} = 1;", deadline)
            yield
        finally:
            self.reconcile({DURABILITY: state.durability}, Deadline.after(self.section.release_s))
            self.note.drop()

    def _put_back(self, durability: str, deadline: Deadline) -> None:
        if self.ask(f"SELECT @@GLOBAL.{DURABILITY};", deadline) == ["1"]:
            self.ask(f"SET GLOBAL {DURABILITY} = {int(durability)};", deadline)

    def _take(self, lock: Lock, deadline: Deadline) -> None:
        self._refuse_long_statements(lock, deadline)
        patience = Deadline(deadline.at_s - _KILL_S)
        wait_s = max(1, math.ceil(deadline.left_s))
        self.ask(f"SET SESSION lock_wait_timeout = {wait_s}, wait_timeout = 3600;", deadline)
        try:
            for statement in lock.statements:
                self.ask(statement, patience)
        except DeadlinePassed:
            self._kill()
            raise

    def _release(self, lock: Lock, deadline: Deadline) -> None:
        self.ask(lock.release, deadline)

    def _kill(self) -> None:
        """End the connection that waits: while it waits, everybody waits behind it.

        Killing its client would not do: a server notices that late, measured 5 s.
        """
        if self.state is None:
            return
        program = self._program(f"KILL CONNECTION {self.state.connection};")
        self.commands.run(program, Deadline.after(_KILL_S))

    def _refuse_long_statements(self, lock: Lock, deadline: Deadline) -> None:
        seconds = int(max(1, self._long_statement_s))
        for line in self.ask(_LONG_STATEMENTS.format(seconds), deadline):
            number, time_s, user, schema, verb = line.split("\t")
            if lock.waits_for_reads or verb not in ("SELECT", "SHOW", "DO", "EXPLAIN"):
                cause = f"connection {number} ({user}, {schema}) has run {verb} for {time_s} s"
                hint = "everybody would wait behind it; end it, or raise long_statement_s"
                raise Refused(self.section.name, lock.statements[0].rstrip(";"), cause, hint)

    def _report(self, lock: Lock, deadline: Deadline) -> Report:
        self.ask("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS;", deadline)
        kept = "every commit that was acknowledged"
        if lock.stops_every_engine:
            kept += ", and whole tables of every engine"
        method = "; ".join(one.rstrip(";") for one in lock.statements)
        return Report(method, self.position(deadline), (kept,), tuple(self._warnings))

    def _connect(self, deadline: Deadline) -> State:
        hint = "see the options socket, user, password_file and defaults_file"
        with self.reaching(deadline, hint) as patience:
            self._session = self.commands.session(self._program(), DIALECT)
            version, connection, durability, binary_log = self.ask(_STATE, patience)[0].split("\t")
        numbers = [int(part) for part in version.split("-")[0].split(".")]
        engines = self._engines(deadline)
        return State(numbers, version, connection, durability, binary_log == "1", engines)

    def _disconnect(self, deadline: Deadline) -> None:
        if self._session is not None:
            self._session.close(deadline)
            self._session = None

    def _engines(self, deadline: Deadline) -> Optional[Sequence[str]]:
        """By a client of its own, to be given up: with very many tables this takes long."""
        try:
            output = self.commands.run(self._program(_OTHER_ENGINES), deadline.or_after(_SURVEY_S))
        except DeadlinePassed:
            self._warnings = ["too many tables to see which engines they have"]
            return None
        engines = [line.split("\t") for line in output.lines]
        self._warnings = [
            f"{count} tables with ENGINE=MEMORY come back empty, {first} among them"
            for engine, count, first in engines
            if engine == "MEMORY"
        ]
        return [engine for engine, _, _ in engines]

    def _client(self) -> str:
        """The first of `CLIENTS` that is there: MySQL's or MariaDB's, both speak with both."""
        path = ENVIRONMENT["PATH"]
        return next(
            (each for each in self.CLIENTS if shutil.which(each, path=path)), self.CLIENTS[0]
        )

    def _program(self, statement: str = "") -> Program:
        """The client; without a statement it reads them from its input."""
        client = self.section.text("client") or self._client()
        arguments = [client]
        defaults = self.section.text("defaults_file")
        if self._password is not None:
            arguments.append(f"--defaults-extra-file={SECRET}")  # has to be the first one
        elif defaults:
            arguments.append(f"--defaults-extra-file={defaults}")
        arguments += ["-NB", "--unbuffered", "--force", "--loose-skip-reconnect"]
        if not defaults:
            arguments.append(f"--user={self.section.text('user', 'root')}")
        if self._socket:
            arguments.append(f"--socket={self._socket}")
        if self._host:
            arguments += [f"--host={self._host}", f"--port={self._port}", "--protocol=TCP"]
        if statement:
            arguments.append(f"--execute={statement}")
        secret = None
        if self._password is not None:
            quoted = self._password.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            secret = b'[client]\npassword="' + quoted + b'"\n'
        return Program(arguments, secret=secret)


def found(kind: str, process: Process) -> Found:
    """A server process, by its socket: no server has two that clients may use."""
    sockets = [path for path in process.sockets() if not path.endswith("mysqlx.sock")]
    ports = process.ports()
    name = f"{kind}:{sockets[0] if sockets else process.folder}"
    if process.is_in_container:
        unsafe = "it runs in a container: say how to reach it"
        return Found(name, {}, unsafe)
    if not sockets:
        return Found(name, {}, f"it has no socket; say an account and which of {ports} is its port")
    return Found(name, {"socket": sockets[0]}, process=process.number)


def is_mariadb(process: Process) -> bool:
    """Also if it is called mysqld, as before 10.5: only MariaDB has the engine Aria."""
    return os.path.exists(f"/proc/{process.number}/cwd/aria_log_control")
