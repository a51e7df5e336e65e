"""MongoDB: from its documentation only, no server was at hand; tested against a scripted peer.

With its journal a member starts from a snapshot as after a power failure, so an atomic snapshot
needs no lock. `fsyncLock` writes everything out and stops writes, for data and journal whose
snapshots are of different moments. The lock is counted and outlives its connection: the undo
journal has an entry before the lock is taken, and the client unlocks when its input ends, which
happens by itself when this process dies.

The client is a large program, so it runs as the account of the server, which has its data anyway,
or as nobody's number: the server lets in whoever has its password, or everybody.
"""

import contextlib
import json
import re
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import unquote

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Driver, Finding, Report
from stillpoint_guest.errors import ApplicationError, CommandFailed, Senseless, SessionLost
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes import accounts
from stillpoint_guest.processes.open_files import open_files
from stillpoint_guest.processes.process_table import Process
from stillpoint_guest.processes.program import SECRET, UNPRIVILEGED, Program
from stillpoint_guest.processes.session import Dialect, Session
from stillpoint_guest.sockets import peer
from stillpoint_guest.sockets.ways import Way
from stillpoint_guest.state.undo_journal import UndoJournal

DIALECT = Dialect(marker="marker {}", error_prefixes=("ERROR",))
_DEFAULT_PORT = 27017
_NOT_LOCKED = "not locked"
_IN_MEMORY = ("inMemory", "ephemeralForTest")  # storage engines
_URI = re.compile(r"mongodb(\+srv)?://(?:[^@/?]*@)?([^@/?]+)(?:[/?][^@]*)?")  # read in one way only
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?")
_ACCOUNTS = ("mongodb", "mongod")  # Debian's and Red Hat's packages'
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){1,3}[-+.0-9A-Za-z]{0,64}", re.ASCII)
_WORD = re.compile(r"[-_.0-9A-Za-z]{0,200}", re.ASCII)
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,400}")
_DATA_FILE = re.compile(r"(.+)/(?:WiredTigerLog\.[0-9]+|WiredTiger\.wt|[^/]+\.wt)")
# Statements are words, one a line. mongosh awaits what it finds in this text, not what an eval
# would bring. The connection stays, as a new one may need a read that the lock does not allow.
_CLIENT = """
const fs = require('fs');
const db = connect(fs.readFileSync(process.env.STILLPOINT_URI, 'utf8'));
let rest = '', locks = 0;
function line() {
  while (!rest.includes('\\n')) {
    const piece = Buffer.alloc(4096), count = fs.readSync(0, piece);
    if (count === 0) return null;
    rest += piece.toString('utf8', 0, count);
  }
  const end = rest.indexOf('\\n'), found = rest.slice(0, end);
  rest = rest.slice(end + 1);
  return found;
}
function say(answer) { fs.writeSync(1, JSON.stringify(answer) + '\\n'); }
for (let word = line(); word !== null; word = line()) {
  try {
    if (word.startsWith('marker ')) fs.writeSync(1, word.slice(7) + '\\n');
    if (word === 'hello') {
      const hello = db.hello(), status = db.serverStatus();
      say({version: status.version, primary: hello.isWritablePrimary === true,
           arbiter: hello.arbiterOnly === true, set: hello.setName || '',
           time: hello.lastWrite ? JSON.stringify(hello.lastWrite.opTime.ts) : '',
           engine: status.storageEngine ? status.storageEngine.name : ''});
    }
    if (word === 'lock') {
      const count = db.fsyncLock().lockCount;
      locks += 1;
      say({locks: Number(count)});
    }
    if (word === 'unlock') { locks -= 1; say({locks: Number(db.fsyncUnlock().lockCount)}); }
  } catch (error) { fs.writeSync(2, 'ERROR ' + error.message.split('\\n')[0] + '\\n'); }
}
while (locks > 0) { locks -= 1; db.fsyncUnlock(); }
"""


class _Hello(NamedTuple):
    """A member's reply to `hello`."""

    version: str
    engine: str
    is_arbiter: bool
    position: Dict[str, str]


class MongoDB(Driver):
    """A member of MongoDB."""

    KIND = "mongodb"
    PROGRAMS = ("mongod", "mongod.bin")
    REACHED_BY = ("uri", "password_file")
    METHODS = ("fsync_lock", "journal")
    OPTIONS = {
        "uri": "where it listens, without password; mongodb://127.0.0.1:27017/?directConnection=true",
        "password_file": "file with the whole uri in its first line, root's alone; instead of uri",
        "client": "the program; mongosh",
        "system_user": "account that it runs as; any account of the system",
    }

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses `OPTIONS`."""
        super().__init__(section, journal)
        default = f"mongodb://127.0.0.1:{_DEFAULT_PORT}/?directConnection=true"
        self._address = section.text("uri", default)
        self._uri = section.secret("password_file") or self._address.encode()
        places = _places(self._uri.decode(errors="replace"))
        if places is None:
            if section.text("password_file"):
                expected = f"a file whose first line is a URI like {default}"
                raise section.error("password_file", expected, "/etc/stillpoint/mongodb")
            raise section.error("uri", "the URI of a server", default)
        self._places = places
        self._client = section.text("client", "mongosh")
        if self._client.startswith("/"):
            section.trusted("client", self._client)
        self._session: Optional[Session] = None
        self._hello = _Hello("", "", False, {})

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """Detects a member by its port; mongos keeps no data."""
        addresses = process.addresses()
        if not addresses:
            return Found(f"{cls.KIND}:{process.number}", {}, "it accepts no connections")
        host, port = addresses[0]
        host = f"[{host}]" if ":" in host else host
        uri = f"mongodb://{host}:{port}/?directConnection=true"
        return Found(f"{cls.KIND}:{port}", {"uri": uri})

    @property
    def ways(self) -> Sequence[Way]:
        """The first host and port of its uri, which may be a socket."""
        return [host if host.startswith("/") else (host, port) for host, port in self._places[:1]]

    @property
    def instance(self) -> str:
        """Its address."""
        return self._address

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Probes if the server answers."""
        try:
            self.prepare(deadline)
        finally:
            self._disconnect(deadline)
        name = self.section.name
        warnings = [Finding(False, f"{name}: {each}", is_blocking=False) for each in self._losses]
        return [Finding(True, f"{name}: version {self._hello.version} answers"), *warnings]

    def prepare(self, deadline: Deadline) -> None:
        """Connects; the client takes a second to start."""
        try:
            self._connect(deadline)
            self._hello = self._ask_hello(deadline)
        except ApplicationError:
            self._disconnect(Deadline.after(0))
            raise

    @contextlib.contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """`fsyncLock`, unless the journal is to do."""
        if self._hello.is_arbiter:
            self._disconnect(deadline)
            yield self._report("none needed", "all: an arbiter has no data")
            return
        if self.section.method == "journal":
            self._disconnect(deadline)
            yield self._report("journal", "every write that was acknowledged with j: true")
            return
        self.journal.write({"locks": "1"})
        try:
            self._require_locked(self._ask("lock", deadline))
            yield self._report("fsyncLock", "every write that was acknowledged")
        finally:
            self._release(Deadline.after(self.section.release_s))
            self.journal.drop()

    @property
    def _losses(self) -> Sequence[str]:
        """The acknowledged data that a copy would lack, a sentence each."""
        found: List[str] = []
        if self._hello.engine in _IN_MEMORY:
            found.append(f"its storage engine {self._hello.engine} keeps nothing on a disk")
        if self.section.method == "journal" and not self._hello.is_arbiter:
            found.append("writes that were acknowledged without j: true may be missing")
        return found

    def _report(self, method: str, kept: str) -> Report:
        losses = tuple(self._losses)
        files = (_DATA_FILE.fullmatch(path) for path in open_files(self.section.process))
        folders = tuple(sorted({file.group(1) for file in files if file}))
        level = CRASH if losses else APPLICATION
        return Report(method, self._hello.position, (kept,), losses, level, folders)

    def _require_locked(self, answer: Mapping[str, object]) -> None:
        count = answer.get("locks")
        if not isinstance(count, int) or count < 1:
            cause = f"its answer makes no sense: {str(answer)[:200]}"
            raise Senseless(self.section.name, "lock", cause)

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        """Takes back the single lock of a dead holder; its client may have done so."""
        del undo
        try:
            self._connect(deadline)
            self._unlock(deadline)
        finally:
            self._disconnect(deadline)

    def _release(self, deadline: Deadline) -> None:
        try:
            self._unlock(deadline)
        except SessionLost:
            self._disconnect(deadline)
            self.reconcile({}, deadline)
            raise
        finally:
            self._disconnect(deadline)

    def _unlock(self, deadline: Deadline) -> None:
        try:
            self._ask("unlock", deadline)
        except CommandFailed as error:
            if _NOT_LOCKED not in error.cause:
                raise

    def _ask(self, word: str, deadline: Deadline) -> Dict[str, object]:
        if self._session is None:
            raise SessionLost(self.section.name, word, "it was not prepared")
        lines = self._session.ask(word, deadline)
        try:
            answer = json.loads(lines[-1])
        except (IndexError, ValueError, RecursionError) as error:
            cause = f"its answer makes no sense: {str(list(lines))[:200]}"
            raise Senseless(self.section.name, word, cause) from error
        return answer if isinstance(answer, dict) else {}

    def _connect(self, deadline: Deadline) -> None:
        """The session, which the caller ends however this ends."""
        arguments = [self._client, "--quiet", "--norc", "--nodb", "--eval", _CLIENT]
        environment = {"STILLPOINT_URI": SECRET}
        with self.reaching(deadline, "see the options uri and password_file") as patience:
            users = peer.users(self.section)
            self._require_peers(users)
            program = Program(arguments, _account(users), environment, self._uri)
            self._session = self.commands.session(program, DIALECT)
            self._session.ask("", patience)

    def _require_peers(self, users: peer.Users) -> None:
        for host, port in self._places:
            if host.startswith("/"):
                user = users[0] if users else None
                peer.require_socket(host, self.section.process, user)
            else:
                peer.require_listener(host, port, users)

    def _ask_hello(self, deadline: Deadline) -> _Hello:
        """The reply to `hello`, the first request for which a server wants an account."""
        with self.reaching(deadline, "see the option password_file", "hello") as patience:
            answer = self._ask("hello", patience)
        patterns = {"version": _VERSION, "engine": _WORD, "set": _TEXT, "time": _TEXT}
        texts = {key: answer.get(key, "") for key in patterns}
        for key, value in texts.items():
            if not isinstance(value, str) or not patterns[key].fullmatch(value):
                cause = f"its answer makes no sense: {key} is {str(value)[:40]!r}"
                raise Senseless(self.section.name, "hello", cause)
        position = {key: str(value) for key, value in texts.items() if value}
        position["primary"] = str(answer.get("primary") is True)
        is_arbiter = answer.get("arbiter") is True
        return _Hello(str(texts["version"]), str(texts["engine"]), is_arbiter, position)

    def _disconnect(self, deadline: Deadline) -> None:
        if self._session is not None:
            self._session.close(deadline)
            self._session = None


def _account(users: peer.Users) -> str:
    """The client's account: never root, whoever runs the server."""
    names = map(accounts.name_of, users) if users is not None else _ACCOUNTS
    return next((name for name in names if accounts.number_of(name)), UNPRIVILEGED)


def _places(uri: str) -> Optional[Sequence[Tuple[str, int]]]:
    """Hosts with ports, or sockets, of an address; None if the address is invalid.

    Addresses that only the name service knows (`mongodb+srv`) are none of this machine's.
    """
    written = _URI.fullmatch(uri)
    if not written:
        return None
    found: List[Tuple[str, int]] = []
    for each in written.group(2).split(",") if not written.group(1) else ():
        path = unquote(each)
        host = _HOST.fullmatch(each)
        if path.startswith("/"):
            found.append((path, 0))
        elif host:
            found.append((host.group(1) or host.group(2), int(host.group(3) or _DEFAULT_PORT)))
        else:
            return None
    return found
