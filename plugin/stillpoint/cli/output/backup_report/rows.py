"""The report on a backup as CSV (RFC 4180): a line for each disk, one for a machine without any.

Programs that open such files take a cell for a formula that begins like one. Such a cell gets an
apostrophe in front, which they show as text (OWASP, "CSV Injection").
"""

import csv
import io
from collections.abc import Iterator, Sequence

from stillpoint.cli.output.backup_report import words
from stillpoint.model.names import printable
from stillpoint.model.weight import Weight
from stillpoint.report.model import Disk, Machine, Report

HEADING = (
    "backup", "phase", "completed", "expires", "namespace", "machine", "kind", "verdict", "level",
    "demanded", "expected", "restorable", "frozen_s", "spread_s", "disk", "claim", "method",
    "disk_level", "size_bytes", "driver", "handle", "cut_from", "cut_until", "problems",
    "verified_at", "came_back", "agreement",
)  # fmt: skip

_OF_FORMULAS = ("=", "+", "-", "@")


def text(reports: Sequence[Report]) -> str:
    """The lines, a heading first."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(HEADING)
    for report in reports:
        writer.writerows(map(_cell, row) for row in _rows(report))
    return written.getvalue()


def _rows(report: Report) -> Iterator[Sequence[object]]:
    backup = report.backup
    of_backup = (
        words.title(backup),
        backup.phase,
        words.moment(backup.completed),
        words.moment(backup.expires),
    )
    for machine in report.machines:
        for disk in machine.disks or (None,):
            known = _codes(machine), *_verified(machine)
            yield (*of_backup, *_of_machine(machine), *_of_disk(disk), *known)


def _of_machine(machine: Machine) -> Sequence[object]:
    return (
        machine.namespace,
        machine.name,
        machine.kind,
        machine.verdict,
        machine.level,
        machine.demanded,
        machine.expected,
        words.restorable(machine),
        words.frozen_s(machine),
        machine.spread_s,
    )


def _of_disk(disk: Disk | None) -> Sequence[object]:
    if disk is None:
        return ("",) * 9
    return (
        disk.name,
        disk.claim,
        disk.method,
        disk.level,
        disk.size_bytes,
        disk.driver,
        disk.handle,
        disk.cut.start and disk.cut.start.isoformat(),
        disk.cut.end and disk.cut.end.isoformat(),
    )


def _verified(machine: Machine) -> Sequence[object]:
    found = machine.verification
    return (words.moment(found.at), found.came_back, found.agreement) if found else ("",) * 3


def _codes(machine: Machine) -> str:
    return " ".join(one.code for one in machine.problems if one.weight is not Weight.NOTE)


def _cell(value: object) -> str:
    shown = printable("" if value is None else str(value))
    return f"'{shown}" if shown.lstrip().startswith(_OF_FORMULAS) else shown
