"""Several backups of the same machines: which hold one, and which machines no good one holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stillpoint.model.level import Level, satisfies
from stillpoint.report.model import Backup, Machine, Report

Name = tuple[str, str]
"""Namespace and name of a machine."""


_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MachineBackup:
    """A machine as a backup holds it.

    Attributes:
        wants: what it lacks to be good for anything, in words; empty if it could be restored.
    """

    backup: Backup
    machine: Machine
    wants: str

    @property
    def command(self) -> str:
        """The command that restores the machine alone, into its own namespace."""
        only = f"stillpoint.dev/only={self.machine.title}"
        place = f"-n {self.backup.namespace} " if self.backup.namespace else ""
        return f"velero restore create {place}--from-backup {self.backup.name} --annotations {only}"

    def lacks(self, wanted: Level) -> str:
        """The lack that keeps it from being good for a level, in words; empty if it is good."""
        if self.wants or satisfies(self.machine.level, wanted):
            return self.wants
        return f"level {self.machine.level}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """A machine of the cluster, and its best backup.

    Attributes:
        good: the newest copy that is good enough and new enough; None if there is none.
        why_not: why there is none, in words; empty if there is one.
    """

    name: Name
    good: MachineBackup | None
    why_not: str

    @property
    def title(self) -> str:
        """`shop/db`."""
        return "/".join(self.name)


def copies(reports: Iterable[Report]) -> Sequence[MachineBackup]:
    """Every machine in every backup: by name, and of one name the newest first."""
    found = [
        MachineBackup(one.backup, machine, _wants(one, machine))
        for one in reports
        for machine in one.machines
    ]
    found.sort(key=_began, reverse=True)
    return sorted(found, key=lambda copy: copy.machine.title)


def coverage(
    names: Iterable[Name], found: Iterable[MachineBackup], wanted: Level, since: datetime
) -> Sequence[Coverage]:
    """The coverage of each machine: those without a good backup first.

    Args:
        names: of all machines.
        found: copies of any machines.
        since: the moment before which a backup began too early; the bytes of a disk are of a later
            moment than the begin of its backup.
    """
    by_name: dict[Name, list[MachineBackup]] = {}
    for copy in found:
        by_name.setdefault((copy.machine.namespace, copy.machine.name), []).append(copy)
    made = [_coverage(name, by_name.get(name, ()), wanted, since) for name in names]
    return sorted(made, key=lambda one: (one.good is not None, one.name))


def _coverage(
    name: Name, found: Sequence[MachineBackup], wanted: Level, since: datetime
) -> Coverage:
    newest_first = sorted(found, key=_began, reverse=True)
    recent = [one for one in newest_first if one.backup.started and one.backup.started >= since]
    for copy in recent:
        if not copy.lacks(wanted):
            return Coverage(name, copy, "")
    if recent:
        newest = recent[0]
        return Coverage(name, None, f"{newest.backup.name}: {newest.lacks(wanted)}")
    if newest_first:
        backup = newest_first[0].backup
        why = "is too old" if backup.started else "has no known age"
        return Coverage(name, None, f"{backup.name}, the newest, {why}")
    return Coverage(name, None, "in no backup")


def _wants(report: Report, machine: Machine) -> str:
    expires = report.backup.expires
    if expires and expires <= report.read_at:
        return "expired"
    if machine.is_restorable:
        return ""
    known = "not restorable" if machine.is_restorable is False else "restorable or not is unknown"
    return ": ".join([known, *machine.why_not[:1]])


def _began(copy: MachineBackup) -> datetime:
    return copy.backup.started or _OLDEST
