"""The servers that run on this guest, and whose they are.

A failed look at a process is a warning about that process, and nothing at all if the process has
ended meanwhile. A stranger's process is named and not looked at any further, so that a thousand of
them cost no more than their names.
"""

import contextlib
from typing import (
    Callable,
    Container,
    Dict,
    FrozenSet,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Type,
)

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.discovery import known_servers, probes, service
from stillpoint_guest.discovery.probes import Probe
from stillpoint_guest.discovery.service import Stranger, Units
from stillpoint_guest.errors import DeadlinePassed
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.kind import Kind
from stillpoint_guest.printable import printable
from stillpoint_guest.processes import accounts, process_table
from stillpoint_guest.processes.accounts import Names
from stillpoint_guest.processes.process_table import Process
from stillpoint_guest.sockets.ways import Key, file_key
from stillpoint_guest.worker import within

_SCAN_S = 5.0  # for the names of all processes: 30,000 take one
_NAME_BYTES = 150  # an undo journal's section is called so
_TEXT_BYTES = 200


class Server(NamedTuple):
    """A process that looks like a server; to be quiesced unless `found` is `unsafe`."""

    found: Found
    kind: Optional[Type[Kind]] = None  # None: none quiesces it
    user: int = 0
    keys: FrozenSet[Key] = frozenset()
    is_strange: bool = False  # left alone, by a name that it shares with others of its account


def servers(
    kinds: Sequence[Type[Kind]], trusted: Container[int] = (), has_others: bool = False
) -> Sequence[Server]:
    """All servers of these kinds; services first, each by a name of its own.

    Never fails: a process that cannot be read is among them, as `unsafe`.

    Args:
        kinds: to look for, by their PROGRAMS.
        trusted: users that the configuration trusts with a server: their processes are looked at.
        has_others: look for `known_servers` too.
    """
    try:
        deadline = Deadline.after(_SCAN_S)
        attempt = "look at what runs"
        found = within(deadline, "/proc", attempt, lambda: _matches(kinds, has_others))
    except (DeadlinePassed, OSError) as error:
        cause = printable(str(error), _TEXT_BYTES)
        return [Server(Found("processes", unsafe=f"they could not be looked at: {cause}"))]
    survey = _Survey(kinds, trusted)
    seen = [server for process in found for server in survey.first_look(process)]
    return _unique(sorted([*survey.probe(), *seen], key=_rank))


class _Survey:
    """A look at all processes."""

    def __init__(self, kinds: Sequence[Type[Kind]], trusted: Container[int]) -> None:
        self._kinds = kinds
        self._trusted = trusted
        self._names = Names()
        self._units = Units(self._names)
        self._probes: List[Probe] = []
        self._alone_by_name: Dict[str, Server] = {}

    def first_look(self, process: Process) -> Sequence[Server]:
        """Reads what no process can delay; slower reads come later."""
        return self._edge(process, lambda: self._first_look(process))

    def probe(self) -> Sequence[Server]:
        """Runs the probes; returns the servers that they found."""
        found = probes.run(self._probes)
        return [server for one in found for server in self._edge(one.probe.process, one.result)]

    def _edge(self, process: Process, look: Callable[[], object]) -> Sequence[Server]:
        """Turns an error into a warning about this process, unless the process has ended."""
        try:
            server = look()
        except Exception as error:  # noqa: BLE001  the edge: it ends the look at this one alone
            try:
                Process(process.number, "", "")
            except OSError:
                return ()
            why = printable(str(error) or repr(error), _TEXT_BYTES)
            kinds = _kinds_of(process, self._kinds)
            name = kinds[0].KIND if kinds else printable(process.program, _NAME_BYTES)
            cause = Stranger(f"could not be looked at: {why}", can_be_trusted=False)
            server = self._stranger(f"{name}@{self._names.of(process.user)}", process, cause)
        return [server] if isinstance(server, Server) else ()

    def _first_look(self, process: Process) -> Optional[Server]:
        kinds = _kinds_of(process, self._kinds)
        stranger = service.standing(process, self._units)
        if not kinds:
            return self._without_driver(process, stranger)
        name = f"{kinds[0].KIND}@{self._names.of(process.user)}"
        is_trusted = stranger and stranger.can_be_trusted and process.user in self._trusted
        if stranger and not is_trusted:
            return self._stranger(name, process, stranger)
        action = lambda: self._second_look(name, process, kinds, stranger)  # noqa: E731
        self._probes.append(Probe(process, action, not stranger))
        return None

    def _second_look(
        self,
        name: str,
        process: Process,
        kinds: Sequence[Type[Kind]],
        stranger: Optional[Stranger],
    ) -> Optional[Server]:
        """The server, by the first kind that knows; its files are checked before they are read."""
        fault = stranger or service.belongings(process)
        if fault and process.user not in self._trusted:
            return self._stranger(name, process, fault)
        several = ((kind, kind.detect(process)) for kind in kinds)
        kind, found = next(((kind, one) for kind, one in several if one), (kinds[0], None))
        if found is None:
            return None
        if fault:
            unsafe = self._alone(name, process, fault).found
            found = unsafe._replace(options=found.options)
        found = found._replace(name=printable(found.name, _NAME_BYTES), process=process.number)
        return Server(found, kind, process.user, _keys_of(process), is_strange=bool(fault))

    def _without_driver(self, process: Process, stranger: Optional[Stranger]) -> Optional[Server]:
        """A known server without a driver; Java's class is in the arguments."""
        program, executable = process.program, process.executable

        def recognize(arguments: Sequence[str] = ()) -> Optional[Server]:
            name = known_servers.name_of(program, executable, arguments)
            if not name:
                return None
            if not stranger:
                why = Stranger("has no driver here", can_be_trusted=False)
                return self._stranger(name, process, why)
            shared = stranger._replace(can_be_trusted=False)
            return self._stranger(f"{name}@{self._names.of(process.user)}", process, shared)

        if not known_servers.needs_arguments(program, executable):
            return recognize()
        self._probes.append(Probe(process, lambda: recognize(process.arguments), not stranger))
        return None

    def _stranger(self, name: str, process: Process, why: Stranger) -> Server:
        """A stranger's server, once per name, with the cause of the first."""
        if name not in self._alone_by_name:
            self._alone_by_name[name] = self._alone(name, process, why)
        return self._alone_by_name[name]

    def _alone(self, name: str, process: Process, why: Stranger) -> Server:
        program, executable = (
            printable(text, _TEXT_BYTES) for text in (process.program, process.executable)
        )
        account = self._names.of(process.user)
        who = f"process {process.number}, user {account}"
        who = f"{program} ({who}, {executable})" if executable else f"{program} ({who})"
        remedy = f"a section that brings it to rest, with covers = {name}"
        if why.can_be_trusted:
            remedy = f"a section that leads to it, with system_user = {account}"
        hint = f"{remedy}; or, if it does not count, [{name}] with enabled = no"
        found = Found(name, unsafe=f"{who} {why.cause}; HINT: {hint}", process=process.number)
        kinds = _kinds_of(process, self._kinds)
        return Server(found, kinds[0] if kinds else None, process.user, is_strange=True)


def _matches(kinds: Sequence[Type[Kind]], has_others: bool) -> Sequence[Process]:
    """The process of each server that its sessions come from; of two of a name, the server."""
    programs = {program for kind in kinds for program in kind.PROGRAMS}
    called = process_table.kernel_names(programs)

    def is_wanted(program: str, file: str) -> bool:
        if program in called or file in programs:
            return True
        return has_others and known_servers.may_be(program, file)

    scanned = list(process_table.scan(is_wanted))
    ours = {
        each.number: each for each in scanned if each.program in called or each.file in programs
    }
    others = [each for each in scanned if each.number not in ours]
    first = [each for each in ours.values() if not _is_child(each, ours)]
    parents = {each.parent for each in first}
    return others + [
        each for each in first if each.number not in parents or each.file in programs
    ]  # else: a script of the same name that has started it


def _is_child(process: Process, servers: Mapping[int, Process]) -> bool:
    """True if a process is a session, or saves for a server, and is no server itself."""
    parent = servers.get(process.parent)
    if parent is None:
        return False
    if process.executable and parent.executable:
        return process.executable == parent.executable
    return process.program == parent.program


def _kinds_of(process: Process, kinds: Sequence[Type[Kind]]) -> Sequence[Type[Kind]]:
    """The kinds whose program a process may be, the likeliest first."""
    ranked = []
    for number, kind in enumerate(kinds):
        places = [
            place
            for place, program in enumerate(kind.PROGRAMS)
            if program == process.file or process_table.is_called(process.program, program)
        ]
        if places:
            ranked.append((places[0], number))
    return [kinds[number] for _, number in sorted(ranked)]


def _keys_of(process: Process) -> FrozenSet[Key]:
    keys: Set[Key] = {(each.inode,) for each in process.listeners()}
    for path in process.sockets():
        with contextlib.suppress(FileNotFoundError):  # taken away: nobody can connect there
            keys.add(file_key(path))
    return frozenset(keys)


def _rank(server: Server) -> Tuple[bool, bool]:
    """Sort key: this machine's own first, so that strangers displace no warning."""
    is_systems = server.user == 0 or accounts.is_system_account(server.user)
    return server.is_strange, not is_systems


def _unique(found: Sequence[Server]) -> Sequence[Server]:
    """The second of a name has its number in its name; strangers share a name."""
    names: Set[str] = set()
    unique = []
    for server in found:
        one = server.found
        if not server.is_strange and one.name in names:
            one = one._replace(name=f"{one.name}@{one.process}")
        names.add(one.name)
        unique.append(server._replace(found=one))
    return unique
