"""PostgreSQL 9.6 and newer.

All its files are on disks that freeze together, so a cut is what a power failure leaves, and
PostgreSQL promises to come back from that with every commit. A checkpoint right before makes that
recovery short and the freeze too, which has less to write. Nothing is locked: a commit just waits
for the disk.
"""

import contextlib
import os
import pwd
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from guest_hooks.command import SECRET, Dialect, Program, Session
from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Finding, Found, Report
from guest_hooks.errors import ApplicationError, CommandFailed, SessionLost
from guest_hooks.note import Note
from guest_hooks.running import Process, processes
from guest_hooks.section import Section

# An ERROR ends the statement, a FATAL the session, and psql's own complaints begin with its name.
DIALECT = Dialect(marker="\\echo {}", error_prefixes=("ERROR:", "FATAL:", "psql: error:"))
_ANSWER_S = 1.0  # kept of a deadline, for the server to say that it has cancelled a statement
_SURVEY_S = 2.0  # at most, for a look into every database
_TIMED_OUT = "statement timeout"
_DEBIAN_FOLDER = re.compile(r"/postgresql/(\d[\d.]*)/([^/]+)$")
_LATE_COMMITS = "synchronous_commit=off"
_STATE = (
    "SELECT current_setting('server_version_num'), pg_is_in_recovery(), current_setting('fsync'),"
    " 'synchronous_commit=' || current_setting('synchronous_commit'), "
    " (SELECT count(*) FROM pg_db_role_setting WHERE 'synchronous_commit=off' = ANY (setconfig));"
)
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1;"
_UNLOGGED = (
    "SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class"
    " JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE relpersistence = 'u' AND relkind IN ('r', 'm') ORDER BY 1;"
)
_FLUSHED = (  # a commit of its own flushes the log of everybody; "local": waits for no standby
    "BEGIN; SET LOCAL synchronous_commit = local; SELECT txid_current(); COMMIT;"
)
_CHECKPOINT = (
    "SELECT pg_walfile_name(redo_lsn), checkpoint_lsn, timeline_id,"
    " to_char(now(), 'YYYY-MM-DD HH24:MI:SS TZ') FROM pg_control_checkpoint();"
)
_POSITION = (
    "SELECT {}, timeline_id, system_identifier FROM pg_control_checkpoint(), pg_control_system();"
)

_NAMES_BEFORE_10 = (("pg_walfile", "pg_xlogfile"), ("_wal_", "_xlog_"), ("_lsn", "_location"))


class _Server(NamedTuple):
    version: int  # 150018
    is_standby: bool
    syncs: bool
    commits_late: bool  # for everybody, or for some role or database


class PostgreSQL(Driver):
    """One cluster: the databases of one server process."""

    KIND = "postgresql"
    METHODS = ("checkpoint", "backup")
    OPTIONS = {
        "host": "folder of its socket, or a name; /run/postgresql",
        "port": "its port, also with a socket; 5432",
        "user": "role of the database, a superuser; that of the system user",
        "system_user": "system user whose name opens the socket; postgres",
        "database": "where to connect to; postgres",
        "password_file": "file with the role's password in its first line, root's alone",
        "client": "the program; psql",
    }

    def __init__(self, section: Section, note: Note) -> None:
        """Parse `OPTIONS`."""
        super().__init__(section, note)
        self._host = section.text("host", "/run/postgresql")
        self._port = section.integer("port", 5432)
        self._system_user = section.text("system_user", "postgres")
        self._user = section.text("user", self._system_user)
        self._database = section.text("database", "postgres")
        self._password = section.secret("password_file")
        self._client = section.text("client", "psql")
        self._session: Optional[Session] = None
        self._warnings: List[str] = []

    @classmethod
    def discover(cls) -> Sequence[Found]:
        """Every postmaster, by the file that it keeps in its data folder."""
        return [found for one in processes("postgres") for found in _found(one)]

    @property
    def instance(self) -> str:
        """The socket, or host and port; Debian's server says /var/run, a link to our default."""
        host = os.path.realpath(self._host) if self._host.startswith("/") else self._host
        return os.path.join(host, f".s.PGSQL.{self._port}")

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Whether it answers, and what a copy would not have."""
        try:
            server = self._connect(deadline)
            warnings = self._warnings_of(server, deadline)
        finally:
            self._disconnect(deadline)
        role = "standby" if server.is_standby else "primary"
        reachable = Finding(True, f"{self.section.name}: {role}, version {server.version} answers")
        return [reachable] + [Finding(False, each, is_blocking=False) for each in warnings]

    def prepare(self, deadline: Deadline) -> None:
        """Checkpoint; one that takes too long is cancelled, which only costs recovery time."""
        try:
            self._server = self._connect(deadline)
            self._warnings = self._warnings_of(self._server, deadline)
            self._checkpoint(deadline)
        except ApplicationError:
            self._disconnect(Deadline.after(0))
            raise

    @contextlib.contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """Only `method = backup` holds something: backup mode, as long as its session lives."""
        try:
            milliseconds = int(max(0.1, deadline.left_s) * 1000)
            self._ask(f"SET statement_timeout = {milliseconds};", deadline)
            is_backup = self.section.method == "backup"
            report = self._backup(deadline) if is_backup else self._flushed(deadline)
            if not is_backup:
                self._disconnect(deadline)
            yield report
            if is_backup:
                self._stop_backup(Deadline.after(self.section.release_s))
        finally:
            self._disconnect(Deadline.after(self.section.release_s))

    def _checkpoint(self, deadline: Deadline) -> None:
        milliseconds = int(max(0.1, deadline.left_s - _ANSWER_S) * 1000)
        self._ask(f"SET statement_timeout = {milliseconds};", deadline)
        try:
            self._ask("CHECKPOINT;", deadline)
        except CommandFailed as error:
            if _TIMED_OUT not in error.cause:
                raise
            late = f"checkpoint not done in {milliseconds} ms: the copy's recovery takes longer"
            self._warnings.append(late)

    def _flushed(self, deadline: Deadline) -> Report:
        if self._server.is_standby:
            position = self._position("pg_last_wal_replay_lsn()", deadline)
            kept = "everything replayed up to this position; it starts as a standby"
        else:
            self._ask(_FLUSHED, deadline)
            position = self._position("pg_current_wal_insert_lsn()", deadline)
            kept = "every commit that was acknowledged before the freeze, after a short recovery"
        return Report("CHECKPOINT", position, (kept,), tuple(self._warnings))

    def _backup(self, deadline: Deadline) -> Report:
        arguments = (
            "'stillpoint', true" if self._server.version >= 150000 else "'stillpoint', true, false"
        )
        name = "pg_backup_start" if self._server.version >= 150000 else "pg_start_backup"
        lines = self._ask(f"SELECT {name}({arguments});", deadline)
        position = self._position("pg_current_wal_insert_lsn()", deadline)
        position["backup_start_lsn"] = lines[0]
        position["backup_label"] = self._label(lines[0], deadline)
        kept = (
            "volumes may be cut at different moments between freeze and thaw, if backup_label"
            " is put beside them and the log until the thaw is there (an archive)"
        )
        return Report("pg_backup_start", position, (kept,), tuple(self._warnings))

    def _label(self, start: str, deadline: Deadline) -> str:
        """What `pg_backup_stop` is going to return, but before the disks are cut."""
        segment, checkpoint, timeline, now = self._ask(self._named(_CHECKPOINT), deadline)[0].split(
            "|"
        )
        origin = "standby" if self._server.is_standby else "primary"
        return (
            f"START WAL LOCATION: {start} (file {segment})\nCHECKPOINT LOCATION: {checkpoint}\n"
            f"BACKUP METHOD: streamed\nBACKUP FROM: {origin}\nSTART TIME: {now}\n"
            f"LABEL: stillpoint\nSTART TIMELINE: {timeline}\n"
        )

    def _stop_backup(self, deadline: Deadline) -> None:
        version = self._server.version
        name = "pg_backup_stop" if version >= 150000 else "pg_stop_backup"
        arguments = "false, false" if 100000 <= version < 150000 else "false"
        self._ask("SET statement_timeout = 0;", deadline)
        self._ask(f"SELECT {name}({arguments});", deadline)

    def _position(self, place: str, deadline: Deadline) -> Dict[str, str]:
        lines = self._ask(self._named(_POSITION.format(place)), deadline)
        lsn, timeline, system = lines[0].split("|")
        return {"lsn": lsn, "timeline": timeline, "system_identifier": system}

    def _named(self, statement: str) -> str:
        names = _NAMES_BEFORE_10 if self._server.version < 100000 else ()
        for name, before in names:
            statement = statement.replace(name, before)
        return statement

    def _connect(self, deadline: Deadline) -> _Server:
        """The session, and what it is connected to."""
        hint = "see the options host, port, user and password_file"
        with self.reaching(deadline, hint) as patience:
            self._session = self._new_session(patience)
            lines = self._ask(_STATE, patience)
        version, in_recovery, fsync, commits, exceptions = lines[0].split("|")
        commits_late = commits == _LATE_COMMITS or exceptions != "0"
        return _Server(int(version), in_recovery == "t", fsync == "on", commits_late)

    def _new_session(self, deadline: Deadline) -> Session:
        arguments = [self._client, "-XqAt", "-h", self._host, "-p", str(self._port)]
        arguments += ["-U", self._user, "-d", self._database, "-w"]
        environment = {"PGCONNECT_TIMEOUT": str(max(2, int(deadline.left_s)))}
        secret = None
        if self._password is not None:
            secret = b"*:*:*:*:" + re.sub(rb"([\\:])", rb"\\\1", self._password) + b"\n"
            environment["PGPASSFILE"] = SECRET
        program = Program(arguments, self._system_user, environment, secret)
        return self.commands.session(program, DIALECT)

    def _warnings_of(self, server: _Server, deadline: Deadline) -> List[str]:
        warnings = []
        if not server.syncs:
            warnings.append("fsync is off: whether a copy starts is luck")
        if server.commits_late:
            warnings.append(
                "synchronous_commit is off: the last commits before the freeze may miss"
            )
        if not server.is_standby:
            warnings += self._unlogged(deadline.or_after(_SURVEY_S))
        return warnings

    def _unlogged(self, deadline: Deadline) -> List[str]:
        """A second session, as psql ends when it cannot connect to a database."""
        session = self._new_session(deadline)
        tables = []
        try:
            for database in session.ask(_DATABASES, deadline):
                quoted = database.replace("\\", "\\\\").replace("'", "\\'")
                found = session.ask(f"\\connect '{quoted}'\n{_UNLOGGED}", deadline)
                tables += [f"unlogged table {database}.{one} comes back empty" for one in found]
        except ApplicationError as error:
            tables.append(f"unlogged tables were not all looked for: {error.cause}")
        finally:
            session.close(deadline)
        return tables

    def _ask(self, statement: str, deadline: Deadline) -> Sequence[str]:
        if self._session is None:
            raise SessionLost(self.section.name, statement, "it was not prepared")
        return self._session.ask(statement, deadline)

    def _disconnect(self, deadline: Deadline) -> None:
        if self._session is not None:
            self._session.close(deadline)
            self._session = None


def _found(process: Process) -> List[Found]:
    """What the postmaster wrote about itself; its children have the same folder."""
    try:
        with open(f"/proc/{process.number}/cwd/postmaster.pid") as file:
            number, folder, _, port, sockets, address = file.read().splitlines()[:6]
    except (OSError, ValueError):
        return []  # no postmaster, or one that starts or ends
    if int(number) != process.number_inside:
        return []
    debian = _DEBIAN_FOLDER.search(folder)
    name = f"{PostgreSQL.KIND}:{'/'.join(debian.groups()) if debian else folder}"
    account = pwd.getpwuid(process.user).pw_name
    options = {"host": sockets or address, "port": port, "system_user": account}
    unsafe = ""
    if process.is_in_container:
        unsafe = "it runs in a container, where its client has to run too: use type = script"
    elif not sockets:
        unsafe = "it has no socket in a folder, so it has to be told a role and a password"
    return [Found(name, options, unsafe, process.number)]
