"""Surveys a PostgreSQL server: the data that a copy would lack, and the folders of its files.

A recovery empties unlogged tables. They are looked for by their files first, all databases at once:
only databases that have some are connected to, for the names of the tables with rows.
"""

import contextlib
import os
import time
from typing import Iterator, List, NamedTuple, Sequence, Tuple

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.drivers.postgresql.client import (
    HEX,
    NUMBER,
    TRUTH,
    PostgreSQLClient,
    Psql,
    raw,
)
from stillpoint_guest.errors import ApplicationError
from stillpoint_guest.printable import printable
from stillpoint_guest.processes.command import Commands

_MOST_DATABASES = 20  # that are connected to, one after the other
_DATABASE_S = 1.0  # for one, as its owner can have us wait; all together have twice as long
_MOST_NAMES = 10  # of one database
_NAME_BYTES = 200  # PostgreSQL's own are up to 63 letters, and there are two in one
_PLACES = f"""
SELECT {raw("current_setting('data_directory')")}
UNION ALL SELECT {raw("pg_tablespace_location(oid)")} FROM pg_tablespace WHERE oid >= 16384;
"""
# A relation of which a recovery leaves nothing has a second file of that name, its empty state.
_DATABASES = f"""
WITH folders AS (
  SELECT oid, 'base/' || oid::text AS folder FROM pg_database
  UNION ALL
  SELECT d.oid, 'pg_tblspc/' || t.oid::text || '/' || version || '/' || d.oid::text
  FROM pg_tablespace t, pg_ls_dir('pg_tblspc/' || t.oid::text, true, false) version, pg_database d
  WHERE t.oid >= 16384 AND version ~ '^PG_{{major}}_[0-9]+$'
)
SELECT datallowconn, {raw("datname")} FROM pg_database d WHERE EXISTS (
  SELECT FROM folders f, pg_ls_dir(f.folder, true, false) file
  WHERE f.oid = d.oid AND file ~ '^[0-9]+_init$'
) ORDER BY oid;
"""
# Rows: by the file, for a statement in somebody's table could wait for him, or be made his. A
# sequence of which nothing was taken is as it will be.
_HOLDS_ROWS = "coalesce((pg_stat_file(pg_relation_filepath(c.oid), true)).size, 0) > 0"
_HOLDS = (
    f"CASE relkind WHEN 'S' THEN pg_sequence_last_value(c.oid) IS NOT NULL ELSE {_HOLDS_ROWS} END"
)
_UNLOGGED = f"""
SELECT count(*) OVER (), holds, relkind = 'S', {raw("format('%I.%I', nspname, relname)")}
FROM (SELECT *, {{holds}} AS holds FROM pg_class c WHERE relpersistence = 'u' AND {{kinds}}) c
JOIN pg_namespace n ON n.oid = relnamespace WHERE holds OR relkind <> 'S'
ORDER BY holds DESC, 4 LIMIT {_MOST_NAMES};
"""
_SEQUENCES_SINCE = 150000  # can be unlogged


class Survey(NamedTuple):
    """The result of a survey."""

    losses: Sequence[str] = ()  # a sentence each, of what somebody has and a copy would not
    notes: Sequence[str] = ()  # what has nothing to lose now
    folders: Tuple[str, ...] = ()  # of data, log and tablespaces


class Surveyor:
    """Surveys a server, with sessions of its own, which an error ends."""

    def __init__(self, client: PostgreSQLClient, commands: Commands, version: int) -> None:
        """Surveys nothing yet; `version` is the server's, 150018."""
        self._client = client
        self._commands = commands
        self._version = version

    def survey(self, is_standby: bool, deadline: Deadline) -> Survey:
        """Surveys everything; whatever cannot be surveyed counts as lost.

        The time for each database is a multiple of the first session's, which is in nobody's
        database: in a slow guest every client is slow.
        """
        begin_s = time.monotonic()
        try:
            with self._connect(deadline) as psql:
                places = psql.rows(_PLACES, (HEX,), deadline)
                found = [] if is_standby else psql.rows(self._databases, (TRUTH, HEX), deadline)
        except ApplicationError as error:
            cause = f"unlogged tables come back empty, and were not looked for: {error.cause}"
            return Survey([cause])
        one_s = max(_DATABASE_S, 2 * (time.monotonic() - begin_s))
        losses, notes = self._survey_unlogged(found, one_s, deadline.or_after(2 * one_s))
        data, *tablespaces = (os.fsdecode(bytes.fromhex(place)) for (place,) in places)
        return Survey(losses, notes, (data, *_log_of(data), *tablespaces))

    def _survey_unlogged(
        self, found: Sequence[Tuple[str, ...]], one_s: float, deadline: Deadline
    ) -> Tuple[List[str], List[str]]:
        losses: List[str] = []
        notes: List[str] = []
        for number, (may_connect, name) in enumerate(found):
            if deadline.has_passed or number == _MOST_DATABASES:
                left_out = len(found) - number
                losses.append(f"unlogged tables of {left_out} more databases come back empty")
                break
            patience = deadline.or_after(one_s)
            for holds, sentence in self._survey_database(
                bytes.fromhex(name), may_connect, patience
            ):
                (losses if holds else notes).append(sentence)
        return losses, notes

    @property
    def _databases(self) -> str:
        major, minor = divmod(self._version // 100, 100)
        return _DATABASES.format(major=major if major >= 10 else f"{major}[.]{minor}")

    def _survey_database(
        self, database: bytes, may_connect: str, deadline: Deadline
    ) -> List[Tuple[bool, str]]:
        shown = _printable(database)
        if may_connect != "t":
            why = "it lets nobody in"
            return [(True, f"unlogged tables of database {shown} come back empty: {why}")]
        try:
            with self._connect(deadline, database) as psql:
                rows = psql.rows(self._tables, (NUMBER, TRUTH, TRUTH, HEX), deadline)
        except ApplicationError as error:
            why = error.cause
            return [(True, f"unlogged tables of database {shown} come back empty: {why}")]
        found = [(holds == "t", _sentence(shown, kind, name)) for _, holds, kind, name in rows]
        more = int(rows[0][0]) - len(rows) if rows else 0
        if more > 0:
            sentence = f"{more} more unlogged tables of database {shown} come back empty"
            found.append((found[-1][0], sentence))
        return found

    @property
    def _tables(self) -> str:
        has_sequences = self._version >= _SEQUENCES_SINCE
        kinds = "relkind IN ('r', 'm', 'S')" if has_sequences else "relkind IN ('r', 'm')"
        holds = _HOLDS if has_sequences else _HOLDS_ROWS
        return _UNLOGGED.format(holds=holds, kinds=kinds)

    @contextlib.contextmanager
    def _connect(self, deadline: Deadline, database: bytes = b"") -> Iterator[Psql]:
        psql = self._client.psql(self._commands, deadline, database)
        try:
            psql.ask("SET lock_timeout = 200;", deadline)  # a sequence may be somebody's
            yield psql
        finally:
            psql.close(deadline)


def _log_of(data: str) -> Sequence[str]:
    """The target of the log's link; without a link the log is in the data folder."""
    for name in ("pg_wal", "pg_xlog"):  # before 10
        with contextlib.suppress(OSError):
            return [os.path.join(data, os.readlink(os.path.join(data, name)))]
    return []


def _sentence(database: str, is_sequence: str, name: str) -> str:
    shown = f"{database}.{_printable(bytes.fromhex(name))}"
    if is_sequence == "t":
        return f"unlogged sequence {shown} starts again"
    return f"unlogged table {shown} comes back empty"


def _printable(name: bytes) -> str:
    return printable(os.fsdecode(name), _NAME_BYTES)
