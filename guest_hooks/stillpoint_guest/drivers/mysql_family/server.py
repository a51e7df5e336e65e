"""The common driver of MariaDB and MySQL; their own drivers choose the lock.

A lock lives as long as its session. The durability of commits is a setting of the server and does
not: the undo journal has the old value before a change, and the next holder puts it back if this
holder dies.
"""

import contextlib
import math
import os
import time
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Driver, Finding, Report
from stillpoint_guest.drivers.mysql_family import answers
from stillpoint_guest.drivers.mysql_family.answers import DURABILITY, Engine, State
from stillpoint_guest.drivers.mysql_family.client import Identity, MySQLClient
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
from stillpoint_guest.processes.session import Dialect, Session
from stillpoint_guest.sockets.ways import Way
from stillpoint_guest.state.undo_journal import UndoJournal

DIALECT = Dialect(marker="SELECT '{}';", error_prefixes=("ERROR",))
_LONG_STATEMENT_S = 2
_SURVEY_S = 5.0  # at most, for a look at every table; more where a client is slow
_KILL_S = 0.5  # kept of the time for the lock: a second client ends the first one's connection
_ALL_PRIVILEGES = "GRANT ALL PRIVILEGES ON *.* TO "
_READS = ("SELECT", "SHOW", "DO", "EXPLAIN")
_LONGEST_POSITION = 4000


class Lock(NamedTuple):
    """A way to quiesce a server."""

    method: str  # as in METHODS
    statements: Sequence[str]  # that lock, in this order
    release: str
    waits_for_reads: bool  # a long SELECT would make it wait, and everybody behind it
    stops_every_engine: bool  # else only changes of definitions; commits go on


GLOBAL_READ_LOCK = Lock("ftwrl", ("FLUSH TABLES WITH READ LOCK;",), "UNLOCK TABLES;", True, True)


class MySQLServer(Driver):
    """A server process."""

    REACHED_BY = ("socket", "host", "port", "defaults_file")
    CLIENTS: Sequence[str] = ()
    HAS_OWN_ACCOUNT = False  # the user that runs it, see `mysql_client`
    OPTIONS = {
        "socket": "path of its socket; Debian's, else Red Hat's",
        "host": "where it listens, instead of a socket",
        "port": "its port; 3306",
        "user": "account; root",
        "password_file": "file with its password in the first line, root's alone",
        "defaults_file": "option file of the client with the account, root's alone",
        "client": "the program",
        "system_user": "account that it runs as; any account of the system",
        "long_statement_s": f"refuse behind a statement that runs as long; {_LONG_STATEMENT_S}",
    }

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses `OPTIONS`."""
        super().__init__(section, journal)
        self._client = MySQLClient(section, self.CLIENTS, self.HAS_OWN_ACCOUNT)
        self._identity = Identity("", "")
        self._long_statement_s = section.seconds("long_statement_s", _LONG_STATEMENT_S)
        self._session: Optional[Session] = None
        self.state: Optional[State] = None
        self.engines: Optional[Sequence[Engine]] = None  # not InnoDB's, of tables; None: not known
        self._let_in_s = 0.0
        self._level = APPLICATION
        self._warnings: List[str] = []
        self._folders: Tuple[str, ...] = ()

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """Detects a server by its socket: no server has two for clients."""
        sockets = [path for path in process.sockets() if not path.endswith("mysqlx.sock")]
        if sockets:
            return Found(f"{cls.KIND}:{process.own(sockets[0])}", {"socket": sockets[0]})
        ports = ", ".join(str(port) for _, port in process.addresses()) or "none at all"
        unsafe = f"it has no socket; say an account and its port, of {ports}"
        return Found(f"{cls.KIND}:{process.folder}", {}, unsafe)

    @property
    def ways(self) -> Sequence[Way]:
        """The socket, or host and port."""
        return [self._client.socket or (self._client.host, self._client.port)]

    @property
    def instance(self) -> str:
        """The socket, or host and port; /var/run is a link to /run."""
        if self._client.socket:
            return trust.real_path(self._client.socket)
        return f"{self._client.host}:{self._client.port}"

    def lock_for(self, state: State) -> Lock:
        """The lock that this server needs.

        Raises:
            ApplicationError: the configured method is not for this server.
        """
        raise NotImplementedError

    def position(self, deadline: Deadline) -> Dict[str, str]:
        """The server's position."""
        raise NotImplementedError

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Probes if the server answers; finds the lock to take, and obstacles to it now."""
        try:
            state = self._connect(deadline)
            lock = self.lock_for(state)
            self._refuse_long_statements(lock, deadline)
        finally:
            self._disconnect(deadline)
        name = self.section.name
        text = f"{name}: version {state.version_text} answers; method {lock.method}"
        found = [Finding(False, f"{name}: {each}", is_blocking=False) for each in self._warnings]
        return [Finding(True, text, folders=self._folders), *found]

    def prepare(self, deadline: Deadline) -> None:
        """Connects, and writes what has gathered, so that less is to be written under the lock."""
        try:
            self.state = self._connect(deadline)
            self.lock_for(self.state)
            self.ask("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS;", deadline)
        except ApplicationError:
            self._disconnect(Deadline.after(0))
            raise

    @contextlib.contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """Holds the lock; commits that still come are on the disk before they are acknowledged."""
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

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        """Puts the durability back, if nobody has changed it since."""
        try:
            self._let_in(deadline)
            self._put_back(int(undo[DURABILITY]), deadline)
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
        if state.durability == 1:
            yield
            return
        undo = {DURABILITY: str(state.durability)}
        self.journal.write(undo)
        try:
            self.ask(f"SET GLOBAL {DURABILITY} = 1;", deadline)
            yield
        finally:
            self.reconcile(undo, Deadline.after(self.section.release_s))
            self.journal.drop()

    def _put_back(self, durability: int, deadline: Deadline) -> None:
        answer = self.ask(f"SELECT @@GLOBAL.{DURABILITY};", deadline)
        if answers.durability(self.section.name, answer) == 1:
            self.ask(f"SET GLOBAL {DURABILITY} = {durability};", deadline)

    def _take(self, lock: Lock, deadline: Deadline) -> None:
        self._refuse_long_statements(lock, deadline)
        patience = Deadline(deadline.at_s - _KILL_S)
        wait_s = max(1, math.ceil(deadline.remaining_s))
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
        """Ends the connection that waits for the lock: everybody waits behind it.

        Killing its client would not do: a server notices that late, measured 5 s.
        """
        if self.state is None:
            return
        statement = f"KILL CONNECTION {self.state.connection};"
        program = self._client.program(self._identity, statement)
        self.commands.run(program, Deadline.after(_KILL_S))

    def _refuse_long_statements(self, lock: Lock, deadline: Deadline) -> None:
        seconds = int(max(1, self._long_statement_s))
        name = self.section.name
        answer = self.ask(answers.LONG_STATEMENTS.format(seconds), deadline)
        for one in answers.statements(name, answer):
            if lock.waits_for_reads or one.verb not in _READS:
                who = f"connection {one.connection} ({one.user}, {one.schema})"
                cause = f"{who} has run {one.verb} for {one.time_s} s"
                hint = "everybody would wait behind it; end it, or raise long_statement_s"
                raise Refused(name, lock.statements[0].rstrip(";"), cause, hint)

    def _report(self, lock: Lock, deadline: Deadline) -> Report:
        self.ask("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS;", deadline)
        kept = "every commit that was acknowledged"
        if lock.stops_every_engine:
            kept += ", and whole tables of every engine"
        method = "; ".join(one.rstrip(";") for one in lock.statements)
        position = {
            key: value[:_LONGEST_POSITION] for key, value in self.position(deadline).items()
        }
        warnings = tuple(self._warnings)
        return Report(method, position, (kept,), warnings, self._level, self._folders)

    def _connect(self, deadline: Deadline) -> State:
        hint = "see the options socket, user, password_file and defaults_file"
        begin_s = time.monotonic()
        with self.reaching(deadline, hint) as patience:
            state = self._let_in(patience)
        self._let_in_s = time.monotonic() - begin_s
        self._warnings, self._level = [], APPLICATION
        self.engines = self._survey_engines(deadline)
        for warning in self.losses(deadline):
            self._warnings.append(warning)
            self._level = CRASH
        answer = self.ask(answers.PLACES, deadline)
        self._folders = answers.folders(answer, self.section.process)
        return state

    def _let_in(self, deadline: Deadline) -> State:
        """The state by the first identity that is let in with enough rights, else by the last."""
        self._client.require_peer()
        *others, last = self._client.identities()
        for each in others:
            with contextlib.suppress(SessionLost, CommandFailed):
                state = self._open(each, deadline)
                if any(_ALL_PRIVILEGES in line for line in self.ask("SHOW GRANTS;", deadline)):
                    return state
            self._disconnect(Deadline.after(0))
        return self._open(last, deadline)

    def _open(self, identity: Identity, deadline: Deadline) -> State:
        self._identity = identity
        self._session = self.commands.session(self._client.program(identity), DIALECT)
        answer = self.ask(answers.STATE, deadline)
        return answers.state(self.section.name, answer)

    def _disconnect(self, deadline: Deadline) -> None:
        if self._session is not None:
            self._session.close(deadline)
            self._session = None

    def losses(self, deadline: Deadline) -> Sequence[str]:
        """The acknowledged data that a copy would lack, a sentence each."""
        if self.engines is None:
            return ("too many tables to see whether some with ENGINE=MEMORY come back empty",)
        if not any(one.name == "MEMORY" for one in self.engines):
            return ()
        answer = self._survey(answers.IN_MEMORY, deadline)
        if answer is None:
            return ("tables with ENGINE=MEMORY come back empty",)
        found = answers.in_memory(self.section.name, answer)
        if found is None:
            return ()
        names = f"{found.tables} tables with ENGINE=MEMORY hold rows"
        return (f"{names} and come back empty, {found.first} among them",)

    def _survey_engines(self, deadline: Deadline) -> Optional[Sequence[Engine]]:
        answer = self._survey(answers.OTHER_ENGINES, deadline)
        if answer is None:
            return None
        return answers.engines(self.section.name, answer)

    def _survey(self, statement: str, deadline: Deadline) -> Optional[Sequence[str]]:
        """Lines of a statement by a client of its own, to be abandoned if it is slow."""
        program = self._client.program(self._identity, statement)
        try:
            limit_s = max(_SURVEY_S, 2 * self._let_in_s)
            survey = deadline.or_after(min(limit_s, deadline.remaining_s / 2))
            return self.commands.run(program, survey).lines
        except DeadlinePassed:
            return None


def is_mariadb(process: Process) -> bool:
    """True for MariaDB, called mysqld too before 10.5: only MariaDB has the engine Aria."""
    if any(name.startswith("mariadb") for name in (process.program, process.file)):
        return True
    return os.path.exists(f"/proc/{process.number}/cwd/aria_log_control")
