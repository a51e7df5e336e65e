"""Matches sections of the configuration with the servers that run.

A section means the server that listens at its destination, by whichever way; or the server of its
name; or, without a destination, the only server. A server that a section means is not found a
second time.
"""

from typing import Dict, FrozenSet, NamedTuple, Optional, Sequence, Type

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.discovery.survey import Server
from stillpoint_guest.driver import Driver
from stillpoint_guest.errors import DeadlinePassed
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes import accounts
from stillpoint_guest.sockets.ways import Key, keys_of
from stillpoint_guest.worker import within

_LOOK_S = 1.0  # a path that is configured may be on a share that is gone


class _Entry(NamedTuple):
    """A section, and its destinations."""

    section: Section
    kind: Type[Driver]
    keys: FrozenSet[Key]

    @property
    def says_where(self) -> bool:
        return any(key in self.section.options for key in self.kind.REACHED_BY)

    def may_mean(self, server: Server) -> bool:
        """True if the section vouches for a server that is not trusted, by its account."""
        if not server.is_strange:
            return server.kind is not None
        account = self.section.text("system_user")
        return server.kind is not None and accounts.number_of(account) == server.user

    def is_like(self, server: Server) -> bool:
        """True if its driver is for that program: MariaDB is called mysqld too."""
        return server.kind is not None and bool({*server.kind.PROGRAMS} & {*self.kind.PROGRAMS})

    def leads_to(self, server: Server) -> bool:
        return bool(self.keys & server.keys)

    def is_called_as(self, server: Server) -> bool:
        leads_elsewhere = self.says_where and self.keys
        is_same = self.section.name == server.found.name and self.is_like(server)
        return is_same and not leads_elsewhere


class Matches(NamedTuple):
    """The sections, with processes where they mean a server, and the servers of no section."""

    sections: Sequence[Section]
    servers: Sequence[Server]


def trusted_users(sections: Sequence[Section]) -> FrozenSet[int]:
    """The users that sections name as an application's account."""
    names = (section.text("system_user") for section in sections)
    numbers = (accounts.number_of(name) for name in names if name)
    return frozenset(number for number in numbers if number is not None)


def match(drivers: Sequence[Driver], servers: Sequence[Server]) -> Matches:
    """Matches sections with servers.

    Raises:
        ConfigurationError: two sections mean the same server.
    """
    written = [_Entry(one.section, type(one), _keys(one)) for one in drivers]
    meant: Dict[int, Server] = {}
    for number, one in enumerate(written):
        server = _first(one, servers)
        if server:
            _require_other(one.section, server, written, meant)
            meant[number] = server
    for number, one in enumerate(written):
        rest = [each for each in servers if each not in meant.values()]
        alone = [each for each in rest if one.is_like(each) and not each.is_strange]
        if number not in meant and one.kind.REACHED_BY and not one.says_where and len(alone) == 1:
            meant[number] = alone[0]
    sections = [
        _complete(one, meant[number]) if number in meant else one.section
        for number, one in enumerate(written)
    ]
    return Matches(sections, [each for each in servers if each not in meant.values()])


def _first(written: _Entry, servers: Sequence[Server]) -> Optional[Server]:
    possible = [each for each in servers if written.may_mean(each)]
    led_to = [each for each in possible if written.leads_to(each)]
    called = [each for each in possible if written.is_called_as(each)]
    return (led_to + called)[0] if led_to or called else None


def _require_other(
    section: Section, server: Server, written: Sequence[_Entry], meant: Dict[int, Server]
) -> None:
    for number, other in meant.items():
        if other is server:
            raise section.doubled(written[number].section, f", process {server.found.process}")


def _complete(written: _Entry, server: Server) -> Section:
    """With the process, and with what the section does not say itself."""
    section, found = written.section, server.found
    options = dict(section.options)
    if written.is_like(server):
        for key, value in found.options.items():
            if not (written.says_where and key in written.kind.REACHED_BY):
                options.setdefault(key, value)
    return section._replace(options=options, process=found.process)


def _keys(driver: Driver) -> FrozenSet[Key]:
    """The sockets of a driver's destinations; none if unknown, which its own check will report."""
    ways = driver.ways
    try:
        return within(
            Deadline.after(_LOOK_S),
            driver.section.name,
            "look where it leads",
            lambda: frozenset(key for way in ways for key in keys_of(way)),
        )
    except DeadlinePassed:
        return frozenset()
