"""Responses of MariaDB and MySQL, parsed strictly: whoever answers may be neither."""

import os
import re
from typing import Iterator, List, NamedTuple, Optional, Pattern, Sequence, Tuple

from stillpoint_guest.errors import Senseless
from stillpoint_guest.processes.open_files import open_files

DURABILITY = "innodb_flush_log_at_trx_commit"
STATE = f"SELECT VERSION(), CONNECTION_ID(), @@GLOBAL.{DURABILITY}, @@GLOBAL.log_bin;"
LONG_STATEMENTS = (
    "SELECT ID, TIME, USER, IFNULL(DB, ''), UPPER(SUBSTRING_INDEX(TRIM(INFO), ' ', 1))"
    " FROM information_schema.PROCESSLIST"
    " WHERE COMMAND IN ('Query', 'Execute') AND TIME >= {} AND ID <> CONNECTION_ID()"
    " AND USER NOT IN ('system user', 'event_scheduler') ORDER BY TIME DESC LIMIT 1000;"
)
_OTHERS = (
    " FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
    " AND TABLE_TYPE = 'BASE TABLE' AND ENGINE "
)
OTHER_ENGINES = (
    "SELECT ENGINE, COUNT(*), MIN(CONCAT(TABLE_SCHEMA, '.', TABLE_NAME))"
    f"{_OTHERS} NOT IN ('InnoDB', 'BLACKHOLE') GROUP BY ENGINE ORDER BY ENGINE;"
)
# Of MySQL 8 the rows are counted once a day unless this is asked for; MariaDB ignores the comment.
IN_MEMORY = (
    "/*!80000 SET SESSION information_schema_stats_expiry = 0 */;"
    "SELECT COUNT(*), MIN(CONCAT(TABLE_SCHEMA, '.', TABLE_NAME))"
    f"{_OTHERS} = 'MEMORY' AND TABLE_ROWS > 0;"
)
PLACES = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('datadir', 'innodb_data_home_dir',"
    " 'innodb_data_file_path', 'innodb_log_group_home_dir', 'innodb_undo_directory',"
    " 'innodb_directories', 'log_bin_basename', 'relay_log_basename', 'aria_log_dir_path',"
    " 'rocksdb_datadir', 'rocksdb_wal_dir', 'tokudb_data_dir', 'tokudb_log_dir');"
)
_IS_FILE = ("log_bin_basename", "relay_log_basename")
_DATA_FILE = re.compile(r"(.+)/(?:[^/]+\.(?:ibd|ibu|MYD|MYI|MAD|MAI)|ibdata\d+|ib_logfile\d+)")
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}[-+.~:0-9A-Za-z]{0,80}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,20}", re.ASCII)
_DURABILITY = re.compile(r"[0-3]")
_TRUTH = re.compile(r"[01]")
_ENGINE = re.compile(r"[0-9A-Za-z_]{1,64}", re.ASCII)
_ANY = re.compile(r".*", re.DOTALL)
_LONGEST = 200  # letters of a reported name
_MOST_LINKS = 1000


class State(NamedTuple):
    """A server's state."""

    version: Tuple[int, int]
    version_text: str
    connection: int
    durability: int
    has_binary_log: bool


class Statement(NamedTuple):
    """A statement that has run for long."""

    connection: int
    time_s: int
    user: str
    schema: str
    verb: str


class Engine(NamedTuple):
    """Tables that are not InnoDB's."""

    name: str
    tables: int
    first: str  # of their names


def state(subject: str, lines: Sequence[str]) -> State:
    """Parses the output of `STATE`; this and the following raise `Senseless` if invalid."""
    attempt = "ask who it is"
    patterns = (_VERSION, _COUNT, _DURABILITY, _TRUTH)
    [row] = _rows(subject, attempt, lines, patterns, count=1)
    major, minor = row[0].split(".")[:2]
    return State((int(major), int(minor)), row[0], int(row[1]), int(row[2]), row[3] == "1")


def durability(subject: str, lines: Sequence[str]) -> int:
    """The output of a statement with a single value."""
    [[value]] = _rows(subject, f"ask for {DURABILITY}", lines, (_DURABILITY,), count=1)
    return int(value)


def statements(subject: str, lines: Sequence[str]) -> Sequence[Statement]:
    """The answer to `LONG_STATEMENTS`."""
    patterns = (_COUNT, _COUNT, _ANY, _ANY, _ANY)
    return [
        Statement(int(number), int(time_s), *(each[:_LONGEST] for each in names))
        for number, time_s, *names in _rows(subject, "look who runs", lines, patterns)
    ]


def engines(subject: str, lines: Sequence[str]) -> Sequence[Engine]:
    """The answer to `OTHER_ENGINES`."""
    patterns = (_ENGINE, _COUNT, _ANY)
    return [
        Engine(name.upper(), int(tables), first[:_LONGEST])
        for name, tables, first in _rows(subject, "look for tables", lines, patterns)
    ]


def in_memory(subject: str, lines: Sequence[str]) -> Optional[Engine]:
    """The answer to `IN_MEMORY`: tables that hold rows; None if there are none."""
    [row] = _rows(subject, "look for rows in memory", lines, (_COUNT, _ANY), count=1)
    return Engine("MEMORY", int(row[0]), row[1][:_LONGEST]) if int(row[0]) else None


def folders(lines: Sequence[str], process: int) -> Tuple[str, ...]:
    """All places of its data and logs, by the answer to `PLACES` and what its process has open."""
    values = dict(line.split("\t", 1) for line in lines if "\t" in line)
    data = values.pop("datadir", "")
    if not data.startswith("/"):
        return ()
    found = {os.path.normpath(data), *_links(data)}
    for name, value in values.items():
        named = (os.path.join(data, path) for path in _paths(name, value))
        found.update(os.path.normpath(path) for path in named)
    for path in open_files(process):
        file = _DATA_FILE.fullmatch(path)
        if file:
            found.add(os.path.normpath(file.group(1)))
    return tuple(sorted(found))


def _paths(variable: str, value: str) -> Iterator[str]:
    for path in value.split(";"):
        if variable == "innodb_data_file_path":  # ibdata1:12M;/elsewhere/ibdata2:12M:autoextend
            yield os.path.dirname(path.partition(":")[0])
        elif path != "NULL":
            yield os.path.dirname(path) if variable in _IS_FILE else path


def _links(data: str) -> Sequence[str]:
    """Databases that were moved elsewhere, with a link in their place."""
    found: List[str] = []
    try:
        with os.scandir(data) as entries:
            links = (entry.path for entry in entries if entry.is_symlink())
            for _, path in zip(range(_MOST_LINKS), links):
                found.append(os.path.normpath(os.path.join(data, os.readlink(path))))
    except OSError:
        return found  # it is not where we see it, or gone
    return found


def _rows(
    subject: str,
    attempt: str,
    lines: Sequence[str],
    columns: "Sequence[Pattern[str]]",
    count: Optional[int] = None,
) -> List[List[str]]:
    rows = [line.split("\t") for line in lines]
    is_right = count in (None, len(rows)) and all(len(row) == len(columns) for row in rows)
    for row in rows if is_right else ():
        is_right &= all(one.fullmatch(value) for one, value in zip(columns, row))
    if not is_right:
        cause = f"its answer makes no sense: {str(list(lines))[:_LONGEST]}"
        raise Senseless(subject, attempt, cause)
    return rows
