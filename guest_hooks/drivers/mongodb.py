"""MongoDB: from its documentation only, no server was at hand; tested against a scripted peer.

With its journal a member starts from a cut of its disk as after a power failure, so an atomic cut
needs no lock. `fsyncLock` writes everything out and stops writes, which is what one needs whose
data and journal are cut at different moments. The lock is counted and outlives its connection:
it is noted before it is taken, and the client is made to undo it when its input ends, which
happens by itself when this process dies.
"""

import contextlib
import json
import re
from typing import Dict, Iterator, Mapping, Optional, Sequence
from urllib.parse import unquote

from guest_hooks.command import SECRET, Dialect, Program, Session
from guest_hooks.deadline import Deadline
from guest_hooks.discovery import Way
from guest_hooks.driver import Driver, Finding, Found, Report
from guest_hooks.errors import ApplicationError, CommandFailed, SessionLost
from guest_hooks.note import Note
from guest_hooks.running import Process
from guest_hooks.section import Section

DIALECT = Dialect(marker="marker {}", error_prefixes=("ERROR",))
_DEFAULT_PORT = 27017
_HOST = re.compile(r"mongodb://(?:[^/@]*@)?(\[[^\]]*\]|[^/:,?]+)(?::(\d{1,5}))?")
_NOT_LOCKED = "not locked"
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
      say({version: status.version, primary: hello.isWritablePrimary, set: hello.setName || '',
           time: hello.lastWrite ? JSON.stringify(hello.lastWrite.opTime.ts) : '',
           engine: status.storageEngine.name});
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


class MongoDB(Driver):
    """One member."""

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

    def __init__(self, section: Section, note: Note) -> None:
        """Parse `OPTIONS`."""
        super().__init__(section, note)
        default = f"mongodb://127.0.0.1:{_DEFAULT_PORT}/?directConnection=true"
        self._address = section.text("uri", default)
        self._uri = section.secret("password_file") or self._address.encode()
        self._client = section.text("client", "mongosh")
        self._session: Optional[Session] = None
        self._facts: Dict[str, str] = {}

    @classmethod
    def found(cls, process: Process) -> Optional[Found]:
        """By its port; mongos keeps no data."""
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
        found = _HOST.match(self._uri.decode(errors="replace"))
        if not found:
            return ()
        host = unquote(found.group(1).strip("[]"))
        return [host if host.startswith("/") else (host, int(found.group(2) or _DEFAULT_PORT))]

    @property
    def instance(self) -> str:
        """Its address."""
        return self._address

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Whether it answers."""
        try:
            self.prepare(deadline)
        finally:
            self._disconnect(deadline)
        return [Finding(True, f"{self.section.name}: version {self._facts['version']} answers")]

    def prepare(self, deadline: Deadline) -> None:
        """Connect; its client takes a second to start."""
        try:
            self._connect(deadline)
            self._facts = self._hello(deadline)
        except ApplicationError:
            self._disconnect(Deadline.after(0))
            raise

    @contextlib.contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """`fsyncLock`, unless the journal is to do."""
        position = {key: str(value) for key, value in self._facts.items() if value != ""}
        if self.section.method == "journal":
            self._disconnect(deadline)
            yield Report("journal", position, ("every write that was acknowledged with j: true",))
            return
        self.note.write({"locks": "1"})
        try:
            self._ask("lock", deadline)
            yield Report("fsyncLock", position, ("every write that was acknowledged",))
        finally:
            self._release(Deadline.after(self.section.release_s))
            self.note.drop()

    def reconcile(self, noted: Mapping[str, str], deadline: Deadline) -> None:
        """Take back the one lock that was ours; the client may have done so when it ended."""
        del noted
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

    def _ask(self, word: str, deadline: Deadline) -> Dict[str, str]:
        if self._session is None:
            raise SessionLost(self.section.name, word, "it was not prepared")
        answer = self._session.ask(word, deadline)
        try:
            facts: Dict[str, str] = json.loads(answer[-1])
        except (IndexError, ValueError) as error:
            raise CommandFailed(self.section.name, word, f"answered {answer}") from error
        return facts

    def _connect(self, deadline: Deadline) -> None:
        """The session, which the caller ends however this ends."""
        arguments = [self._client, "--quiet", "--norc", "--nodb", "--eval", _CLIENT]
        program = Program(arguments, environment={"STILLPOINT_URI": SECRET}, secret=self._uri)
        with self.reaching(deadline, "see the options uri and password_file") as patience:
            self._session = self.commands.session(program, DIALECT)
            self._session.ask("", patience)

    def _hello(self, deadline: Deadline) -> Dict[str, str]:
        """The first question that a server asks for an account before it answers."""
        with self.reaching(deadline, "see the option password_file", "hello") as patience:
            return self._ask("hello", patience)

    def _disconnect(self, deadline: Deadline) -> None:
        if self._session is not None:
            self._session.close(deadline)
            self._session = None
