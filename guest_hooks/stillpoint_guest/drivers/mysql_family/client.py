"""The client of MariaDB and MySQL: its account, its options and its server.

A client obeys its server (LOAD DATA LOCAL reads any file), so this client reads no option files but
ours, sends no files, and has no rights beyond those for the login:

- A server of MariaDB's packages (10.4 and newer) has an account by the name of the system's user
  that runs it, `mysql`, with all privileges, for whom that user is (`unix_socket`). So the client
  runs as the user that runs the server, who cannot do by it what he could not do before.
- Older ones, and MySQL (`auth_socket`), let in root alone, and have to find user 0 at the other end
  when it connects. Then the client is that user without groups, without a single capability and
  without a way to gain any (see `family`): it could read root's own files, and sends none.
- The server's user gets a password anyway, so by a socket the client runs as that user; by TCP as
nobody's number. A `defaults_file` may name keys that root alone reads: as the second.
"""

import os
import shutil
from typing import Dict, Mapping, NamedTuple, Optional, Sequence

from stillpoint_guest.errors import ConfigurationError
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes import accounts
from stillpoint_guest.processes.program import ENVIRONMENT, SECRET, UNPRIVILEGED, Program
from stillpoint_guest.sockets import peer

_BARE_ROOT = "0"
_SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")  # Debian's, Red Hat's
_GROUPS = ("client", "mysql", "mariadb")  # of an option file, and client-server, mariadb-client, …
_MOST_BYTES = 65536  # of an option file
_OPTIONS = (
    "-NBA",
    "--unbuffered",
    "--force",
    "--loose-skip-reconnect",
    "--loose-local-infile=0",
    "--loose-sandbox",  # no \! and no files: MariaDB 10.5.25, 10.6.18, 10.11.8 and newer
    "--loose-skip-system-command",  # MySQL 8.0.40 and newer
    "--default-character-set=utf8mb4",
)


class Identity(NamedTuple):
    """The client's user."""

    system_user: str  # as whom the client runs
    account: str  # of the server; "" leaves it to the option file


class MySQLClient:
    """The connection to a server, by its section."""

    def __init__(self, section: Section, programs: Sequence[str], has_own_account: bool) -> None:
        """Parses the section.

        Args:
            section: with the options of `MySQLServer`.
            programs: possible names of the client.
            has_own_account: true if the user that runs such a server may have an account.

        Raises:
            ConfigurationError: a value is invalid, or a file is not root's alone.
        """
        self._section = section
        self._programs = programs
        self._has_own_account = has_own_account
        self._password = section.secret("password_file")
        self._defaults = _option_file(section)
        written = _parse(self._defaults or b"")
        self.host = section.text("host", written.get("host", ""))
        self.port = section.port("port", _port(section, written))
        self.socket = section.text("socket", "" if self.host else written.get("socket", ""))
        if not self.socket and not self.host:
            self.socket = next(filter(os.path.exists, _SOCKETS), _SOCKETS[0])
        if section.text("client").startswith("/"):
            section.trusted("client", section.text("client"))

    def require_peer(self) -> None:
        """Goes on only if the server's own account listens; `Unreachable` as in `peer`."""
        users = peer.users(self._section)
        if self.socket:
            user = users[0] if users else None
            peer.require_socket(self.socket, self._section.process, user)
        else:
            peer.require_listener(self.host, self.port, users)

    def identities(self) -> Sequence[Identity]:
        """Users to try in turn; the one with the least rights first."""
        account = self._section.text("user")
        if self._defaults is not None:
            return [Identity(_BARE_ROOT, account)]
        if not self.socket:
            return [Identity(UNPRIVILEGED, account or "root")]
        owner = _owner(self.socket)
        if self._password is not None:
            return [Identity(str(owner), account or "root")]
        if account:  # by the name of a user of the system, who it has to be
            is_user = bool(accounts.number_of(account))
            return [Identity(account if is_user else _BARE_ROOT, account)]
        own = accounts.name_of(owner)
        by_root = Identity(_BARE_ROOT, "root")
        has_own = self._has_own_account and owner and accounts.number_of(own) == owner
        return [Identity(own, own), by_root] if has_own else [by_root]

    def program(self, identity: Identity, statement: str = "") -> Program:
        """The client; without a statement it reads statements from its input."""
        secret = self._defaults
        if self._password is not None:
            quoted = self._password.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            secret = (self._defaults or b"") + b'\n[client]\npassword="' + quoted + b'"\n'
        files = "--no-defaults" if secret is None else f"--defaults-file={SECRET}"
        arguments = [self._name(), files, *_OPTIONS]  # which files has to be the first one
        if identity.account:
            arguments.append(f"--user={identity.account}")
        socket, folder = self.socket, "/"
        if socket.startswith("/proc/"):  # of a process with mounts of its own, which only root sees
            folder, name = os.path.split(socket)
            socket = f"./{name}"
        if socket:
            arguments += [f"--socket={socket}", "--protocol=SOCKET"]
        else:
            arguments += [f"--host={self.host}", f"--port={self.port}", "--protocol=TCP"]
        if statement:
            arguments.append(f"--execute={statement}")
        return Program(arguments, identity.system_user, secret=secret, folder=folder)

    def _name(self) -> str:
        """The first program that is there: MySQL's or MariaDB's, both speak with both."""
        path = ENVIRONMENT["PATH"]
        there = (each for each in self._programs if shutil.which(each, path=path))
        return self._section.text("client") or next(there, self._programs[0])


def _owner(path: str) -> int:
    """The user that runs the server, by its socket; root if the socket has gone meanwhile."""
    try:
        return os.lstat(path).st_uid
    except OSError:
        return 0


def _option_file(section: Section) -> Optional[bytes]:
    """Its content, so that what was looked at is what is used."""
    content = section.content("defaults_file")
    if content and b"password" in content:
        section.file("defaults_file", is_secret=True)
    return content


def _port(section: Section, written: Mapping[str, str]) -> int:
    """The port that an option file says, else the usual one."""
    options = {key: value for key, value in written.items() if key == "port"}
    path = section.text("defaults_file")
    try:
        return Section("client", section.kind, options=options, source=path).port("port", 3306)
    except ConfigurationError as error:
        raise section.in_words("defaults_file", error) from error


def _parse(content: bytes) -> Dict[str, str]:
    """The server's address in an option file, as far as needed: socket, host, port."""
    found: Dict[str, str] = {}
    group = ""
    for line in content.decode(errors="replace").split("\n"):
        key, _, value = line.strip().partition("=")
        if key.startswith("["):
            group = key.strip("[]").partition("-")[0]
        elif group in _GROUPS and key.strip() in ("socket", "host", "port"):
            found[key.strip()] = value.strip().strip("\"'")
    return found
