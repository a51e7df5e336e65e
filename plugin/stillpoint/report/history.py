"""Several backups of the same machines: which hold one, and which machines no good one holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level, satisfies
from stillpoint.model.names import is_name, listing
from stillpoint.report.model import Backup, Machine, Report
from stillpoint.resources.disks import volume
from stillpoint.resources.machines import virtual_machine

Name = tuple[str, str]
"""Namespace and name of a machine."""


_OLDEST = datetime.min.replace(tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LiveMachine:
    """A machine of the cluster.

    Attributes:
        uid: a machine that is made again, or restored, under the same name has another.
        claims: names of the claims of its disks.
    """

    name: Name
    uid: str
    claims: frozenset[str]

    @classmethod
    def read(cls, machine: Item) -> Self:
        """The machine of a VirtualMachine.

        Raises:
            MalformedItem: it is none.
        """
        claims = map(volume.disk_claim, virtual_machine.volumes(machine))
        return cls(it.identify(machine), it.uid(machine), frozenset(claims) - {""})


@dataclass(frozen=True, slots=True)
class Demand:
    """The conditions by which a backup of a machine is good enough.

    Attributes:
        level: the least.
        since: the moment before which a backup began too early; the bytes of a disk are of a later
            moment than the begin of its backup.
        now: no backup begins later.
    """

    level: Level
    since: datetime
    now: datetime

    def is_recent(self, backup: Backup) -> bool:
        """True if the backup began within the time, by clocks that differ a little."""
        latest = self.now + _CLOCKS_DIFFER
        return backup.started is not None and self.since <= backup.started <= latest

    def why_not_recent(self, backup: Backup) -> str:
        """The reason in words."""
        if backup.started is None:
            return "has no known age"
        return "is too old" if backup.started < self.since else "begins in the future"


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
    def title(self) -> str:
        """The backup's name; where it lies if that is not known."""
        return self.backup.name or self.backup.origin

    @property
    def is_restorable(self) -> bool | None:
        """True if the machine could be restored from it; None if that is not known."""
        return None if self.wants and self.machine.is_restorable else self.machine.is_restorable

    @property
    def command(self) -> str:
        """The command that restores the machine alone, into its own namespace.

        Empty if no cluster can have objects of these names: who made a backup wrote them, and a
        shell is to read the command.
        """
        backup, machine = self.backup, self.machine
        names = backup.name, backup.namespace, machine.namespace, machine.name
        if not all(map(is_name, names)):
            return ""
        of = f"-n {backup.namespace} --from-backup {backup.name}"
        return f"velero restore create {of} --annotations stillpoint.dev/only={machine.title}"

    def is_of(self, live: LiveMachine) -> bool:
        """True if it is of this machine, and not of another one of its name."""
        return bool(live.uid) and self.machine.uid == live.uid

    def lacks(self, live: LiveMachine, wanted: Level) -> str:
        """The lack that keeps it from being good for a level, in words; empty if it is good."""
        if self.wants:
            return self.wants
        if self.machine.is_contradicted:
            return "restored for a test, its guest contradicts the evidence"
        if absent := live.claims - {disk.claim for disk in self.machine.disks}:
            return f"without disks that it has by now: {listing(sorted(absent))}"
        return "" if satisfies(self.machine.level, wanted) else f"level {self.machine.level}"


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


def oldest(now: datetime, within: timedelta) -> datetime:
    """The moment so long before `now`, or the first that there is."""
    try:
        return now - within
    except OverflowError:
        return _OLDEST


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
    machines: Iterable[LiveMachine], found: Iterable[MachineBackup], demand: Demand
) -> Sequence[Coverage]:
    """The coverage of each machine: those without a good backup first.

    Args:
        found: copies of any machines, those of other clusters too.
    """
    by_name: dict[Name, list[MachineBackup]] = {}
    for copy in found:
        by_name.setdefault((copy.machine.namespace, copy.machine.name), []).append(copy)
    made = [_coverage(one, by_name.get(one.name, ()), demand) for one in machines]
    return sorted(made, key=lambda one: (one.good is not None, one.name))


def _coverage(machine: LiveMachine, of_name: Sequence[MachineBackup], demand: Demand) -> Coverage:
    found = [one for one in sorted(of_name, key=_began, reverse=True) if one.is_of(machine)]
    recent = [one for one in found if demand.is_recent(one.backup)]
    for copy in recent:
        if not copy.lacks(machine, demand.level):
            return Coverage(machine.name, copy, "")
    if recent:
        lack = recent[0].lacks(machine, demand.level)
        return Coverage(machine.name, None, f"{recent[0].title}: {lack}")
    if found:
        why = f"{found[0].title}, the newest, {demand.why_not_recent(found[0].backup)}"
        return Coverage(machine.name, None, why)
    others = ", but another machine of this name is" if of_name else ""
    return Coverage(machine.name, None, f"in no backup{others}")


def _wants(report: Report, machine: Machine) -> str:
    expires = report.backup.expires
    if expires and expires <= report.read_at:
        return "expired"
    if machine.is_restorable:
        known = "its Backup object is not there: whether it failed or has expired is not known"
        return "" if report.backup.uid else known
    known = "not restorable" if machine.is_restorable is False else "restorable or not is unknown"
    return ": ".join([known, *machine.why_not[:1]])


def _began(copy: MachineBackup) -> datetime:
    return copy.backup.started or _OLDEST
