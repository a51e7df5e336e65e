"""psql, used so that nobody's name, setting or language changes statements or results.

Databases, roles and schemas are named and configured by others. So no name is part of a statement
or a command of psql's: each is a quoted value of a connection string, an argument of its own.
PGOPTIONS takes precedence over settings of databases and roles (and the search path is set once
more, for a pooler that drops options), so that every name in a statement is that of pg_catalog.
psql ends at the first error: output after a statement proves success, in whatever language the
server speaks.
"""

import glob
import os
import re
import shutil
from typing import Dict, List, Sequence, Tuple

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import ApplicationError, CommandFailed, ConfigurationError, Unreachable
from stillpoint_guest.options.section import DISCOVERED, Section
from stillpoint_guest.processes import accounts, family
from stillpoint_guest.processes.command import Commands
from stillpoint_guest.processes.program import ENVIRONMENT, SECRET, Program
from stillpoint_guest.processes.session import Dialect, Session
from stillpoint_guest.sockets import peer

NUMBER = r"\d{1,20}"
TRUTH = r"[tf]"
LSN = r"[0-9A-F]{1,8}/[0-9A-F]{1,8}"
HEX = r"(?:[0-9a-f]{2})*"  # of bytes that are a name, in whatever encoding
CANCELLED = "57014"  # query_canceled, in PostgreSQL's appendix "Error Codes"
_DIALECT = Dialect(marker="\\echo {}", error_prefixes=(), ends_with_error=True)
_STATE = re.compile(r"^[^:]*:  ([0-9A-Z]{5}): ")  # severity, in the server's language; SQLSTATE
_SETTINGS = {
    "search_path": "pg_catalog,pg_temp",
    "standard_conforming_strings": "on",
    "client_min_messages": "error",  # else a notice is the first line that it prints
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "off",
}
_SEARCH_PATH = f"SELECT pg_catalog.set_config('search_path', '{_SETTINGS['search_path']}', false);"
_OPTIONS = " ".join(f"-c {key}={value}" for key, value in _SETTINGS.items())
_ENVIRONMENT = {
    "PGCLIENTENCODING": "UTF8",
    "PGPASSFILE": "/nonexistent",  # of the account's own files
    "PGSERVICEFILE": "/nonexistent",
    "PGSYSCONFDIR": "/nonexistent",
}
_NO_CLEAR_TEXT = "scram-sha-256,md5"  # libpq 16 and newer; md5: PostgreSQL 9.6 has nothing better
_FOLDERS = (
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql/*/bin",
    "/opt/edb/as*/bin",
    "/usr/local/pgsql/bin",
)
_SHOWN = 100


class PostgreSQLClient:
    """The connection to a server, by its section."""

    def __init__(self, section: Section) -> None:
        """Parses the section's options.

        Raises:
            ConfigurationError: an option is invalid.
        """
        self._section = section
        self.host = section.text("host", "/run/postgresql")
        self.port = section.port("port", 5432)
        self.system_user = section.text("system_user", "postgres")
        self._user = section.text("user", self.system_user)
        self._database = os.fsencode(section.text("database", "postgres"))
        self._password = section.secret("password_file")

    def psql(self, commands: Commands, deadline: Deadline, database: bytes = b"") -> "Psql":
        """Connects to a database; "" for the section's.

        Raises:
            Unreachable: the server is not who it should be, or there is no client.
            ApplicationError: as `Session.ask`; the client has ended then.
        """
        self._require_server()
        arguments = [self._program(), "-XqAt", "-w", "-v", "ON_ERROR_STOP=1"]
        arguments += ["-v", "VERBOSITY=verbose", "-h", self.host, "-p", str(self.port)]
        arguments += ["-U", self._user, "-d", os.fsdecode(self._connection(database))]
        secret = None if self._password is None else self._password_file(self._password)
        environment = self._environment(deadline)
        program = Program(arguments, self.system_user, environment, secret)
        psql = Psql(self._section.name, commands.session(program, _DIALECT))
        try:
            psql.ask(_SEARCH_PATH, deadline)
        except ApplicationError:
            psql.close(Deadline.after(0))
            raise
        return psql

    def _environment(self, deadline: Deadline) -> Dict[str, str]:
        limit = max(
            1, int(deadline.remaining_s * 1000)
        )  # its own, for nobody kills what we abandon
        environment = {
            **_ENVIRONMENT,
            "PGCONNECT_TIMEOUT": str(max(2, int(deadline.remaining_s))),
            "PGOPTIONS": f"{_OPTIONS} -c statement_timeout={limit}",
        }
        if self._password is not None:
            environment["PGPASSFILE"] = SECRET
            if not self._has_socket:
                environment["PGREQUIREAUTH"] = _NO_CLEAR_TEXT
        return environment

    @property
    def _has_socket(self) -> bool:
        return self.host.startswith("/")

    def _connection(self, database: bytes) -> bytes:
        """The connection string: values are quoted, a name may be `host=/tmp port=1`."""
        values = {b"dbname": database or self._database}
        if self._section.process and self._has_socket:
            account = accounts.name_of(peer.user_of(self._section.process))
            values[b"requirepeer"] = account.encode()
        return b" ".join(key + b"='" + _quote(value) + b"'" for key, value in values.items())

    def _password_file(self, password: bytes) -> bytes:
        """A password file for this server and role; libpq calls its default folder `localhost`."""
        hosts = [self.host, "localhost"] if self._has_socket else [self.host]
        lines = ((os.fsencode(host), b"%d" % self.port) for host in hosts)
        rest = b":*:" + b":".join(map(_escape, (self._user.encode(), password))) + b"\n"
        return b"".join(b":".join(map(_escape, line)) + rest for line in lines)

    def _require_server(self) -> None:
        section = self._section
        if "," in self.host:  # for libpq they are several, of which the first that answers is taken
            raise Unreachable(section.name, "connect", f"{self.host} is not one folder or name")
        try:
            users = peer.users(section)
            if self._has_socket:
                path = os.path.join(self.host, f".s.PGSQL.{self.port}")
                peer.require_socket(path, section.process, users[0] if users else None)
            else:
                peer.require_listener(self.host, self.port, users)
        except Unreachable as error:
            attempt = f"{error.attempt} ({error.subject})"
            raise Unreachable(section.name, attempt, error.cause, error.hint) from error
        is_found = section.process and section.source == DISCOVERED
        if is_found and not self._is_its_user(users):
            cause = f"its process is not {self.system_user}'s, or it is root's"
            raise Unreachable(section.name, "run a client for it", cause)

    def _is_its_user(self, users: peer.Users) -> bool:
        """Decides if a client runs as the server does; never as root for what was only found."""
        try:
            number = family.user_number(self.system_user)
        except KeyError:
            return False
        return number != 0 and users == [number]

    def _program(self) -> str:
        """Psql beside the detected server, of the same version; else any."""
        given = self._section.text("client")
        if given:
            return given
        beside = _folder_of(self._section.process) if self._section.process else ""
        if beside and _is_trusted(f"{beside}/psql"):
            return f"{beside}/psql"
        found = shutil.which("psql", path=ENVIRONMENT["PATH"])
        others = (f"{folder}/psql" for pattern in _FOLDERS for folder in _newest_first(pattern))
        return found or next(filter(_is_trusted, others), "psql")


class Psql:
    """A session, whose answers are what they have to be."""

    def __init__(self, subject: str, session: Session) -> None:
        self._subject = subject
        self._session = session

    def ask(self, statement: str, deadline: Deadline) -> Sequence[str]:
        """Has a statement executed, and gives the lines of the answer.

        Raises:
            ApplicationError: as `Session.ask`; after a `CommandFailed` the session has ended.
        """
        return self._session.ask(statement, deadline)

    def rows(
        self, statement: str, columns: Sequence[str], deadline: Deadline
    ) -> List[Tuple[str, ...]]:
        """The rows of an answer; `columns` are regular expressions.

        Raises:
            CommandFailed: the answer is none, besides what `ask` raises.
        """
        expected = re.compile(r"\|".join(f"({each})" for each in columns))
        lines = self.ask(statement, deadline)
        matches = [expected.fullmatch(line) for line in lines]
        if None in matches:
            said = next(line for line, match in zip(lines, matches) if match is None)
            raise self._senseless(statement, said)
        return [match.groups() for match in matches if match]

    def row(self, statement: str, columns: Sequence[str], deadline: Deadline) -> Tuple[str, ...]:
        """The single row of a result; errors as of `rows`."""
        rows = self.rows(statement, columns, deadline)
        if len(rows) != 1:
            raise self._senseless(statement, f"{len(rows)} rows")
        return rows[0]

    def close(self, deadline: Deadline) -> None:
        """Never raises."""
        self._session.close(deadline)

    def _senseless(self, statement: str, said: str) -> CommandFailed:
        cause = f"its answer makes no sense: {said[:_SHOWN]!r}"
        return CommandFailed(self._subject, " ".join(statement.split()), cause)


def state_of(error: CommandFailed) -> str:
    """The SQLSTATE of what a server refused, "" if there is none: 57014."""
    found = _STATE.match(error.cause)
    return found.group(1) if found else ""


def raw(name: str) -> str:
    """An expression for the bytes of a name as `HEX`: no encoding is converted or checked.

    Somebody can make a database in another encoding, whose name then is none in ours.
    """
    return rf"encode(decode(replace({name}::text, '\', '\\'), 'escape'), 'hex')"


def _quote(value: bytes) -> bytes:
    return re.sub(rb"(['\\])", rb"\\\1", value)


def _escape(field: bytes) -> bytes:
    return re.sub(rb"([\\:*])", rb"\\\1", field)


def _folder_of(process: int) -> str:
    """The folder of the process's program, even if a package has replaced that since."""
    try:
        path = os.readlink(f"/proc/{process}/exe")
    except OSError:
        return ""
    deleted = " (deleted)"
    return os.path.dirname(path[: -len(deleted)] if path.endswith(deleted) else path)


def _newest_first(pattern: str) -> Sequence[str]:
    def version(path: str) -> List[int]:
        return [int(each) for each in re.findall(r"\d+", path)]

    return sorted(glob.glob(pattern), key=version, reverse=True)


def _is_trusted(path: str) -> bool:
    try:
        trust.require(path)
    except ConfigurationError:
        return False
    return os.access(path, os.X_OK)
