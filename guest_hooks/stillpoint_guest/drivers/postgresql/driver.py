"""PostgreSQL 9.6 and newer.

All its files are on disks that freeze together: a snapshot is what a power failure leaves, and
PostgreSQL promises to come back from that with every commit. A checkpoint right before makes that
recovery short and the freeze too, which has less to write. Nothing is locked: a commit just waits
for the disk.
"""

import contextlib
import os
import time
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Driver, Finding, Report
from stillpoint_guest.drivers.postgresql import postmaster
from stillpoint_guest.drivers.postgresql.client import (
    CANCELLED,
    LSN,
    NUMBER,
    TRUTH,
    PostgreSQLClient,
    Psql,
    state_of,
)
from stillpoint_guest.drivers.postgresql.survey import Surveyor
from stillpoint_guest.errors import ApplicationError, CommandFailed, SessionLost
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.process_table import Process
from stillpoint_guest.sockets.ways import Way
from stillpoint_guest.state.undo_journal import UndoJournal

_ANSWER_S = 1.0  # kept of a deadline, for a cancelled statement and the session after it
_SHORTEST_S = 0.1  # of a limit of statements, which a server takes in whole milliseconds
_LATE = "'^synchronous_commit=(off|false|no|0)$'"  # as whoever set it has written it
_STATE = f"""
SELECT current_setting('server_version_num'), pg_is_in_recovery(),
  current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
  current_setting('synchronous_commit') = 'off' OR EXISTS (
    SELECT FROM pg_db_role_setting, unnest(setconfig) one WHERE one ~* {_LATE}),
  system_identifier
FROM pg_control_system();
"""
_STATE_COLUMNS = (r"\d{5,6}", TRUTH, TRUTH, TRUTH, TRUTH, NUMBER)
_CHECKPOINT = """
SELECT redo_lsn, checkpoint_lsn, timeline_id, bytes_per_wal_segment
FROM pg_control_checkpoint(), pg_control_init();
"""
_POSITION = "SELECT {}, timeline_id FROM pg_control_checkpoint();"
_NAMES_BEFORE_10 = (
    ("pg_current_wal_insert_lsn", "pg_current_xlog_insert_location"),
    ("pg_last_wal_replay_lsn", "pg_last_xlog_replay_location"),
    ("redo_lsn, checkpoint_lsn", "redo_location, checkpoint_location"),
)
_IDLE_SESSIONS_SINCE = 140000  # are ended by a server that is configured so
_OF_A_LOG_FILE = 0x100000000  # bytes; its segments are numbered within


class _Server(NamedTuple):
    version: int  # 150018
    is_standby: bool
    syncs: bool
    writes_whole_pages: bool
    commits_late: bool  # for everybody, or for some role or database
    system: str  # its identifier, which its standbys have too


class PostgreSQL(Driver):
    """A cluster: the databases of a server process."""

    KIND = "postgresql"
    PROGRAMS = ("postgres", "postmaster", "edb-postgres", "edb-postmaster", "postgres.bin")
    REACHED_BY = ("host", "port")
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

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses `OPTIONS`."""
        super().__init__(section, journal)
        self._client = PostgreSQLClient(section)
        self._session: Optional[Psql] = None
        self._answer_s = _ANSWER_S  # more where it takes long to be let in
        self._warnings: List[str] = []
        self._losses: List[str] = []
        self._folders: Tuple[str, ...] = ()

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """Detects a postmaster by the file in its data folder."""
        return postmaster.detect(cls.KIND, process)

    @property
    def ways(self) -> Sequence[Way]:
        """The socket, or host and port."""
        host, port = self._client.host, self._client.port
        if host.startswith("/"):
            return [os.path.join(host, postmaster.SOCKET.format(port))]
        return [(host, port)]

    @property
    def instance(self) -> str:
        """The socket, or host and port; Debian's server says /var/run, a link to our default."""
        host = self._client.host
        place = trust.real_path(host) if host.startswith("/") else host
        return os.path.join(place, f".s.PGSQL.{self._client.port}")

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Probes if the server answers; finds what a copy would not have."""
        try:
            server = self._connect(deadline)
            self._look(server, deadline)
        finally:
            self._disconnect(deadline)
        role = "standby" if server.is_standby else "primary"
        text = f"{self.section.name}: {role}, version {server.version} answers"
        reachable = Finding(True, text, folders=self._folders)
        return [reachable] + [
            Finding(False, each, is_blocking=False) for each in (*self._losses, *self._warnings)
        ]

    def prepare(self, deadline: Deadline) -> None:
        """Runs a checkpoint; a slow one is cancelled, which only costs recovery time."""
        try:
            self._server = self._connect(deadline)
            kept_s = min(self._answer_s, deadline.remaining_s / 2)
            self._look(self._server, Deadline(deadline.at_s - kept_s))
            self._checkpoint(deadline)
        except ApplicationError:
            self._disconnect(Deadline.after(0))
            raise

    @contextlib.contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """Only `method = backup` holds something: backup mode, as long as its session lives."""
        try:
            self._limit(max(_SHORTEST_S, deadline.remaining_s), deadline)
            is_backup = self.section.method == "backup"
            report = self._backup(deadline) if is_backup else self._as_it_is(deadline)
            if not is_backup:
                self._disconnect(deadline)
            yield report
            if is_backup:
                self._stop_backup(Deadline.after(self.section.release_s))
        finally:
            self._disconnect(Deadline.after(self.section.release_s))

    def _checkpoint(self, deadline: Deadline) -> None:
        limit_s = deadline.remaining_s - self._answer_s
        if limit_s < _SHORTEST_S:
            self._warnings.append("no time for a checkpoint: the copy's recovery takes longer")
            return
        self._limit(limit_s, deadline)
        try:
            self._psql.ask("CHECKPOINT;", deadline)
        except CommandFailed as error:
            if state_of(error) != CANCELLED:
                raise
            late = f"checkpoint not done in {limit_s:.1f} s: the copy's recovery takes longer"
            self._warnings.append(late)
            self._disconnect(deadline)
            self._session = self._client.psql(self.commands, deadline)

    def _as_it_is(self, deadline: Deadline) -> Report:
        if self._server.is_standby:
            kept = "everything replayed up to this position; it starts as a standby"
        else:
            kept = "every commit that was acknowledged before the freeze, after a short recovery"
        return self._report("CHECKPOINT", self._position(deadline), kept)

    def _backup(self, deadline: Deadline) -> Report:
        is_new = self._server.version >= 150000
        name = "pg_backup_start" if is_new else "pg_start_backup"
        arguments = "'stillpoint', true" if is_new else "'stillpoint', true, false"
        (start,) = self._psql.row(f"SELECT {name}({arguments});", (LSN,), deadline)
        position = self._position(deadline)
        position["backup_start_lsn"] = start
        position["backup_label"] = self._label(start, deadline)
        kept = (
            "snapshots of volumes may be of different moments between freeze and thaw, if"
            " backup_label is put beside them and the log until the thaw is there (an archive)"
        )
        if self._server.is_standby:
            kept += ", and the volume with global/pg_control is taken last"
        return self._report("pg_backup_start", position, kept)

    def _report(self, method: str, position: Dict[str, str], kept: str) -> Report:
        return Report(
            method,
            position,
            (f"{kept}, but for what the warnings say" if self._losses else kept,),
            (*self._losses, *self._warnings),
            CRASH if self._losses else APPLICATION,
            self._folders,
        )

    def _label(self, start: str, deadline: Deadline) -> str:
        """The label that `pg_backup_stop` is going to return, before disks are taken."""
        columns = (LSN, LSN, NUMBER, NUMBER)
        redo, checkpoint, timeline, segment_bytes = self._psql.row(
            self._with_names(_CHECKPOINT), columns, deadline
        )
        segment = _segment(redo, int(timeline), int(segment_bytes))
        origin = "standby" if self._server.is_standby else "primary"
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        return (
            f"START WAL LOCATION: {start} (file {segment})\nCHECKPOINT LOCATION: {checkpoint}\n"
            f"BACKUP METHOD: streamed\nBACKUP FROM: {origin}\nSTART TIME: {now}\n"
            f"LABEL: stillpoint\nSTART TIMELINE: {timeline}\n"
        )

    def _stop_backup(self, deadline: Deadline) -> None:
        version = self._server.version
        name = "pg_backup_stop" if version >= 150000 else "pg_stop_backup"
        arguments = "false, false" if 100000 <= version < 150000 else "false"
        self._limit(0, deadline)
        self._psql.row(f"SELECT lsn FROM {name}({arguments});", (LSN,), deadline)

    def _position(self, deadline: Deadline) -> Dict[str, str]:
        """The server's position; a standby has no insert position of its own."""
        is_standby = self._server.is_standby
        place = "pg_last_wal_replay_lsn()" if is_standby else "pg_current_wal_insert_lsn()"
        statement = self._with_names(_POSITION.format(place))
        lsn, timeline = self._psql.row(statement, (LSN, NUMBER), deadline)
        return {"lsn": lsn, "timeline": timeline, "system_identifier": self._server.system}

    def _with_names(self, statement: str) -> str:
        names = _NAMES_BEFORE_10 if self._server.version < 100000 else ()
        for name, before in names:
            statement = statement.replace(name, before)
        return statement

    def _connect(self, deadline: Deadline) -> _Server:
        """Opens the session; returns facts about its server."""
        hint = "see the options host, port, user and password_file"
        begin_s = time.monotonic()
        with self.reaching(deadline, hint) as patience:
            self._session = self._client.psql(self.commands, patience)
            row = self._session.row(_STATE, _STATE_COLUMNS, patience)
            if int(row[0]) >= _IDLE_SESSIONS_SINCE:  # it waits for others, and for the thaw
                self._session.ask("SET idle_session_timeout = 0;", patience)
        self._answer_s = max(_ANSWER_S, 2 * (time.monotonic() - begin_s))
        truths = [each == "t" for each in row[1:5]]
        return _Server(int(row[0]), truths[0], truths[1], truths[2], truths[3], row[5])

    def _look(self, server: _Server, deadline: Deadline) -> None:
        """Finds out what a copy would not have."""
        losses = []
        if not server.syncs:
            losses.append("fsync is off: whether a copy starts is luck")
        if not server.writes_whole_pages:
            losses.append("full_page_writes is off: a page may be half of what it was")
        if server.commits_late:
            losses.append(
                "synchronous_commit is off, for all or for a role or database: what was committed"
                " last before the freeze may miss"
            )
        surveyor = Surveyor(self._client, self.commands, server.version)
        survey = surveyor.survey(server.is_standby, deadline)
        self._losses = [*losses, *survey.losses]
        self._warnings = list(survey.notes)
        self._folders = survey.folders

    def _limit(self, seconds: float, deadline: Deadline) -> None:
        """Has the server give up each statement that takes longer; 0: none."""
        self._psql.ask(f"SET statement_timeout = {int(seconds * 1000)};", deadline)

    @property
    def _psql(self) -> Psql:
        if self._session is None:
            raise SessionLost(self.section.name, "ask it", "it was not prepared")
        return self._session

    def _disconnect(self, deadline: Deadline) -> None:
        if self._session is not None:
            self._session.close(deadline)
            self._session = None


def _segment(place: str, timeline: int, segment_bytes: int) -> str:
    """The name of the log's file that has a place: pg_walfile_name() does not work on a standby."""
    high, low = (int(half, 16) for half in place.split("/"))
    number = (high << 32 | low) // segment_bytes
    in_one = _OF_A_LOG_FILE // segment_bytes
    return f"{timeline:08X}{number // in_one:08X}{number % in_one:08X}"
