"""Backups of machines, and machines without one, as a person reads them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from stillpoint.cli.output import table
from stillpoint.cli.output.backup_report import words
from stillpoint.cli.output.table import Column
from stillpoint.cli.output.terminal import line, write_line, write_paragraph
from stillpoint.evidence.verified import Verification
from stillpoint.model.level import Level
from stillpoint.report.history import Coverage, MachineBackup
from stillpoint.report.model import Backup

_COPIES = (
    Column("VM"),
    Column("BACKUP"),
    Column("AGE"),
    Column("EXPIRES", is_extra=True),
    Column("LEVEL"),
    Column("RESTORABLE"),
    Column("CAME BACK", is_rare=True),
    Column("WHY NOT", wraps=True),
)
_COVERED = (
    Column("VM"),
    Column("COVERED"),
    Column("BACKUP"),
    Column("AGE"),
    Column("LEVEL"),
    Column("WHY NOT", wraps=True),
)
_RESTORABLE = {True: ("yes", "green"), False: ("no", "red"), None: ("not known", "yellow")}
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def write_copies(copies: Sequence[MachineBackup], now: datetime, output: Console) -> None:
    """Writes a line for each machine in each backup, and how the newest good one is restored."""
    if not copies:
        write_line(output, "No backup that was read holds a machine.")
        return
    table.write(output, _COPIES, [_copy(one, now) for one in copies])
    write_line(output)
    for command in filter(None, (copy.command for copy in _newest_good(copies))):
        write_line(output, command)


def write_coverage(
    covered: Sequence[Coverage], wanted: Level, within: timedelta, now: datetime, output: Console
) -> None:
    """Writes a line for each machine of the cluster, those without a good backup first."""
    bare = sum(one.good is None for one in covered)
    demand = f"a backup of level {wanted} that is no older than {age(within)}"
    write_paragraph(output, f"{len(covered) - bare} of {len(covered)} machines have {demand}.")
    if covered:
        write_line(output)
        table.write(output, _COVERED, [_coverage(one, now) for one in covered])


def age(span: timedelta) -> str:
    """The two largest units: `3d 4h`, `12m 5s`."""
    left = max(int(span.total_seconds()), 0)
    parts: list[str] = []
    for unit, length_s in _UNITS:
        number, left = divmod(left, length_s)
        if number or (unit == "s" and not parts):
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2])


def _newest_good(copies: Sequence[MachineBackup]) -> Iterator[MachineBackup]:
    """Of each machine the newest that could be restored; the newest of a machine come first.

    One whose guest contradicted the evidence when it was restored for a test comes after others.
    """
    seen = set()
    for copy in sorted(copies, key=lambda one: one.machine.is_contradicted):
        if not copy.wants and copy.machine.title not in seen:
            seen.add(copy.machine.title)
            yield copy


def _copy(one: MachineBackup, now: datetime) -> Sequence[Text]:
    return (
        line(one.machine.title),
        line(one.title),
        line(_since(one.backup.started, now)),
        line(_expires(one.backup, now)),
        line(one.machine.level),
        line(_RESTORABLE[one.is_restorable]),
        _came_back(one.machine.verification, now),
        line(one.wants),
    )


def _came_back(found: Verification | None, now: datetime) -> Text:
    ago = f", {age(now - found.at)} ago" if found else ""
    return line(words.came_back(found), ago)


def _coverage(one: Coverage, now: datetime) -> Sequence[Text]:
    good = one.good
    return (
        line(one.title),
        line(("yes", "green") if good else ("no", "red")),
        line(good.title if good else ""),
        line(_since(good.backup.started, now) if good else ""),
        line(good.machine.level if good else ""),
        line(one.why_not),
    )


def _expires(backup: Backup, now: datetime) -> str:
    if backup.expires is None:
        return "never" if backup.uid else "not known"
    return f"in {age(backup.expires - now)}" if backup.expires > now else "has expired"


def _since(began: datetime | None, now: datetime) -> str:
    return age(now - began) if began else "not known"
