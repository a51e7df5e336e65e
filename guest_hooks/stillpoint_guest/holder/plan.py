"""The applications of a freeze: those that are configured, and those that discovery finds."""

import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Type

from stillpoint_guest import console
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.discovery import survey
from stillpoint_guest.discovery.survey import Server
from stillpoint_guest.driver import Driver
from stillpoint_guest.errors import ConfigurationError
from stillpoint_guest.filesystems import mounts, reach
from stillpoint_guest.filesystems.own_freeze import Filesystems
from stillpoint_guest.filesystems.reach import Reach
from stillpoint_guest.holder import capacity, matching
from stillpoint_guest.holder.application import Instance
from stillpoint_guest.options import config
from stillpoint_guest.options.config import Configuration
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.kind import Kind
from stillpoint_guest.options.section import Section
from stillpoint_guest.places import Places
from stillpoint_guest.state.undo_journal import UndoJournal
from stillpoint_guest.worker import within

_HOOKS_S = 1.0
_MOST_WARNINGS = 12
Kinds = Sequence[Type[Driver]]


class Plan(NamedTuple):
    """The plan of a cycle."""

    drivers: Sequence[Driver]  # in the order of their locks, of the same order required ones first
    freeze_s: float
    watchdog_s: float
    last: Optional[Filesystems] = None  # at rest after the record was written: the disks themselves
    has_frozen_window: bool = True  # no: a command is run around, and no filesystem is frozen
    warnings: Sequence[str] = ()  # what runs here and cannot be quiesced
    asker: int = 0  # a process that sees the mounts which the guest agent freezes
    is_agents: bool = True  # no: somebody else asks, who knows what he does with a hold
    busy: Mapping[Instance, str] = {}  # with unfinished work of an earlier cycle, and that work
    console: str = console.NONE  # where its beginning and end are announced

    def reach(self) -> Reach:
        """The reach of the coming freeze.

        Raises:
            Refused: a filesystem to freeze cannot be frozen.
        """
        if self.last:
            return self.last.reach()
        return reach.of_agent(self.asker) if self.has_frozen_window else Reach(mounts.table(), ())


def plan(places: Places, kinds: Kinds) -> Plan:
    """Reads the configuration, runs discovery, and makes the drivers.

    Raises:
        ConfigurationError: the configuration cannot be used.
    """
    configuration = config.load(places, kinds)
    drivers = [_make_driver(section, places, kinds) for section in configuration.sections]
    _require_different(drivers)
    warnings: List[str] = []
    if configuration.has_discovery:
        servers = _servers(configuration, kinds)
        sections, rest = matching.match(drivers, servers)
        drivers = [_make_driver(section, places, kinds) for section in sections]
        warnings = _add_found(
            drivers, _not_left_out(rest, configuration), configuration, places, kinds
        )
    drivers, without_room = capacity.select(drivers)
    drivers.sort(key=lambda driver: (driver.section.order, not driver.section.required))
    return Plan(
        drivers,
        configuration.profile.freeze_s,
        configuration.watchdog_s,
        warnings=[*warnings, *without_room],
        console=configuration.console,
    )


def _make_driver(section: Section, places: Places, kinds: Kinds) -> Driver:
    kind = next(kind for kind in kinds if section.kind == kind.KIND)
    return kind(section, UndoJournal(places.undo_journals, section))


def _require_different(drivers: Sequence[Driver]) -> None:
    seen: Dict[str, Driver] = {}
    for driver in drivers:
        other = seen.setdefault(driver.instance, driver)
        if other is not driver:
            raise driver.section.doubled(other.section, f" instance, {driver.instance}")


def _servers(configuration: Configuration, kinds: Kinds) -> Sequence[Server]:
    trusted = matching.trusted_users(configuration.sections)
    return [*survey.servers(kinds, trusted, has_others=True), *_beside_processes(kinds)]


def _not_left_out(servers: Sequence[Server], configuration: Configuration) -> Sequence[Server]:
    """All servers but those of which the configuration says, by name, what to do."""
    left_out = {*configuration.disabled, *configuration.covered}
    kinds = {section.name: section.kind for section in configuration.sections}
    rest = []
    for server in servers:
        found, kind = server.found, kinds.get(server.found.name)
        is_one_more = kind and server.kind and kind == server.kind.KIND and found.process
        if found.name not in left_out and (not kind or (is_one_more and not found.unsafe)):
            rest.append(server)
    return rest


def _add_found(
    drivers: List[Driver],
    servers: Sequence[Server],
    configuration: Configuration,
    places: Places,
    kinds: Kinds,
) -> List[str]:
    """Adds drivers for found applications; warnings name the rest."""
    taken = {driver.instance for driver in drivers}
    names = {driver.section.name for driver in drivers}
    alone: List[Server] = []
    for server in servers:
        if server.found.unsafe or server.kind is None:
            alone.append(server)
            continue
        section = _section(server.kind, server.found, configuration)
        if section.name in names:
            section = section._replace(name=f"{section.name}@{section.process}")
        driver = _make_driver(section, places, kinds)
        if driver.instance not in taken:
            drivers.append(driver)
    return _warnings(alone)


def _warnings(alone: Sequence[Server]) -> List[str]:
    """A warning for each name, so that a thousand processes of an account are one; not too many."""
    named: Dict[str, List[Server]] = {}
    for server in alone:
        named.setdefault(server.found.name, []).append(server)
    warnings = []
    for name, several in list(named.items())[:_MOST_WARNINGS]:
        more = f"{len(several)} processes, among them " if len(several) > 1 else ""
        warnings.append(f"{name}: not brought to rest: {more}{several[0].found.unsafe}")
    if len(named) > _MOST_WARNINGS:
        warnings.append(f"and {len(named) - _MOST_WARNINGS} more, not brought to rest either")
    return warnings


def _beside_processes(kinds: Kinds) -> Sequence[Server]:
    """Finds applications without a process: hooks."""
    found: List[Server] = []
    for kind in kinds:
        if kind.PROGRAMS:
            continue
        attempt = f"look for {kind.KIND}"
        deadline = Deadline.after(_HOOKS_S)
        try:
            several = within(deadline, kind.KIND, attempt, kind.discover)
            found += [Server(one, kind) for one in several]
        except Exception as error:  # noqa: BLE001  the edge: one kind does not end the others
            unsafe = f"it could not be looked for: {error}"
            found.append(Server(Found(kind.KIND, unsafe=unsafe), kind))
    return found


def _section(kind: Type[Kind], found: Found, configuration: Configuration) -> Section:
    section = Section(
        found.name,
        kind.KIND,
        options=dict(found.options),
        process=found.process,
        required=not found.process,  # hooks are root's own
    )
    return config.fill(section, configuration.profile, Section(found.name, kind.KIND))


def make_folders(places: Places) -> None:
    """The folders in /run, for root alone.

    Raises:
        ConfigurationError: they cannot be made.
    """
    hint = f"mount a tmpfs on {os.path.dirname(places.run)}"
    mounts.require_memory(places.run, "make it", hint)
    try:
        os.makedirs(places.undo_journals, mode=0o700, exist_ok=True)
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigurationError(places.run, "make it", cause, hint) from error
