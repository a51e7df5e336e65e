"""Which applications a freeze concerns: what is configured, and what else runs here."""

import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Type

from guest_hooks import config, mounts, reach
from guest_hooks.config import Configuration
from guest_hooks.driver import Driver, Found
from guest_hooks.errors import ConfigurationError
from guest_hooks.filesystems import Filesystems
from guest_hooks.note import Note
from guest_hooks.places import Places
from guest_hooks.reach import Reach
from guest_hooks.section import Section

Kinds = Sequence[Type[Driver]]


class Plan(NamedTuple):
    """What one cycle is to do."""

    drivers: Sequence[Driver]  # in the order of their locks
    freeze_s: float
    watchdog_s: float
    last: Optional[Filesystems] = None  # at rest after the record was written: the disks themselves
    is_cut_frozen: bool = True  # no: a command is run around, and no filesystem is frozen
    warnings: Sequence[str] = ()  # what runs here and cannot be brought to rest
    asker: int = 0  # a process that sees the mounts which the guest agent freezes

    def reach(self) -> Reach:
        """What the coming freeze holds.

        Raises:
            Refused: it was told to freeze what cannot be frozen.
        """
        if self.last:
            return self.last.reach()
        return reach.of_agent(self.asker) if self.is_cut_frozen else Reach(mounts.table(), ())


def plan(places: Places, kinds: Kinds) -> Plan:
    """Read the configuration, look around, and make the drivers.

    Raises:
        ConfigurationError: the configuration cannot be used.
    """
    configuration = config.load(places, kinds)
    drivers = [_made(section, places, kinds) for section in configuration.sections]
    _require_different(drivers)
    taken = {driver.instance for driver in drivers}
    found, warnings = _discovered(configuration, kinds)
    for section in found:
        driver = _made(section, places, kinds)
        if driver.instance not in taken:
            drivers.append(driver)
    drivers.sort(key=lambda driver: driver.section.order)
    return Plan(
        drivers,
        configuration.profile.freeze_s,
        configuration.watchdog_s,
        warnings=warnings,
    )


def _made(section: Section, places: Places, kinds: Kinds) -> Driver:
    kind = next(kind for kind in kinds if section.kind == kind.KIND)
    return kind(section, Note(places.notes, section))


def _require_different(drivers: Sequence[Driver]) -> None:
    seen: Dict[str, Driver] = {}
    for driver in drivers:
        other = seen.setdefault(driver.instance, driver)
        if other is not driver:
            section = driver.section
            cause = f"[{other.section.name}] is the same instance, {driver.instance}"
            raise ConfigurationError(f"{section.source} [{section.name}]", "read it", cause)


def _discovered(
    configuration: Configuration, kinds: Kinds
) -> Tuple[Sequence[Section], Sequence[str]]:
    """What runs here, is not configured under its name, and is not to be left alone."""
    if not configuration.has_discovery:
        return (), ()
    named = {section.name for section in configuration.sections} | set(configuration.disabled)
    sections: List[Section] = []
    warnings: List[str] = []
    for kind in kinds:
        for found in kind.discover():
            if found.name in named:
                continue
            if found.unsafe:
                warnings.append(f"{found.name}: not brought to rest: {found.unsafe}")
            else:
                sections.append(_section(kind, found, configuration))
    return sections, warnings


def _section(kind: Type[Driver], found: Found, configuration: Configuration) -> Section:
    options, process = dict(found.options), found.process
    section = Section(found.name, kind.KIND, options=options, process=process)
    return config.fill(section, configuration.profile, Section(found.name, kind.KIND))


def make_folders(places: Places) -> None:
    """The folders in /run, for root alone.

    Raises:
        ConfigurationError: they cannot be made.
    """
    hint = f"mount a tmpfs on {os.path.dirname(places.run)}"
    mounts.require_memory(places.run, "make it", hint)
    try:
        os.makedirs(places.notes, mode=0o700, exist_ok=True)
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigurationError(places.run, "make it", cause, hint) from error
