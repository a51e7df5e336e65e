"""The report on a backup as a person reads it: what failed first, grouped by cause where long."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from stillpoint.cli.output import table
from stillpoint.cli.output.backup_report import words
from stillpoint.cli.output.table import Column
from stillpoint.cli.output.terminal import line, write_line, write_paragraph
from stillpoint.model.level import Level
from stillpoint.model.names import counted
from stillpoint.model.weight import Weight
from stillpoint.report.model import Backup, Machine, Problem, Report, Verdict

MOST_ROWS = 20
"""Of more machines, causes are shown with their machines, not machines with their causes."""

COLOURS = {
    Verdict.NOT_RESTORABLE: "red",
    Verdict.BELOW: "red",
    Verdict.UNKNOWN: "yellow",
    Verdict.GOOD: "green",
}
WEIGHT_COLOURS = {Weight.BLOCKS: "red", Weight.DEGRADES: "red", Weight.UNCERTAIN: "yellow"}

MEANINGS = {
    Level.APPLICATION: "applications in the guest were at rest while all disks were taken.",
    Level.FILESYSTEM: "filesystems were frozen while all disks were taken; applications start as "
    "after a power failure.",
    Level.CRASH: "disks are as a power failure would leave them.",
    Level.STOPPED: "the guest did not run.",
    Level.PAUSED: "the guest was paused; what it held in memory is not on its disks.",
    Level.MIXED: "not all disks were taken in one frozen window.",
    Level.NONE: "the backup has no data of its disks.",
    Level.UNKNOWN: "nothing proves it.",
}

_MOST_NAMES = 5
_MOST_SENTENCES = 3
_COLUMNS = (
    Column("VM"),
    Column("VERDICT"),
    Column("LEVEL"),
    Column("DISKS"),
    Column("FROZEN"),
    Column("SPREAD", is_extra=True),
    Column("CAME BACK", is_rare=True),
    Column("WHY", wraps=True),
)
_GROUP_COLUMNS = (
    Column("VERDICT"),
    Column("CAUSE"),
    Column("VMS"),
    Column("FOR INSTANCE", wraps=True),
)


def write(reports: Sequence[Report], output: Console) -> None:
    """Writes each report: heading, table, causes with remedies, and a legend at the end."""
    for place, report in enumerate(reports):
        if place:
            write_line(output)
        _write_one(report, output)
    _write_meanings(reports, output)


def _write_one(report: Report, output: Console) -> None:
    _write_heading(report, output)
    machines = report.machines
    if not machines:
        return
    is_long = len(machines) > MOST_ROWS
    rows = list(_groups(machines)) if is_long else [_row(machine) for machine in machines]
    table.write(output, _GROUP_COLUMNS if is_long else _COLUMNS, rows)
    write_line(output)
    _write_causes(machines, output)


def _write_heading(report: Report, output: Console) -> None:
    backup = report.backup
    write_paragraph(output, f"Backup {words.title(backup)}: {_phase(backup, report.read_at)}")
    if backup.name:
        write_paragraph(output, f"Read from {backup.origin}.")
    counts = Counter(machine.verdict for machine in report.machines)
    summary = ", ".join(f"{counts[one]} {one}" for one in Verdict if counts[one])
    machines = counted(len(report.machines), "virtual machine")
    write_paragraph(output, f"{machines}{': ' if summary else ''}{summary}.")
    if tested := [one.verification for one in report.machines if one.verification]:
        good = sum(one.is_good for one in tested)
        write_paragraph(output, f"Restored for a test: {len(tested)}, {good} as expected.")
    for problem in report.problems:
        colour = WEIGHT_COLOURS.get(problem.weight, "")
        write_paragraph(output, problem.sentence, 2, ("! ", colour))
        write_paragraph(output, problem.remedy, 4)
    write_line(output)


def _phase(backup: Backup, now: datetime) -> str:
    facts = [backup.phase or "phase not known"]
    if backup.failure:
        facts.append(backup.failure)
    if backup.completed:
        facts.append(f"ended {words.moment(backup.completed)}")
    if backup.expires:
        verb = "expired" if backup.expires < now else "expires"
        facts.append(f"{verb} {words.moment(backup.expires)}")
    return f"{', '.join(facts)}."


def _row(machine: Machine) -> Sequence[Text]:
    codes = [one.code for one in machine.problems if one.weight is not Weight.NOTE]
    return (
        line(machine.title),
        line((machine.verdict, COLOURS[machine.verdict])),
        line(machine.level),
        line(words.methods(machine)),
        line(words.seconds(words.frozen_s(machine))),
        line(words.seconds(machine.spread_s)),
        line(words.came_back(machine.verification)),
        line(", ".join(codes)),
    )


def _groups(machines: Sequence[Machine]) -> Iterator[Sequence[Text]]:
    for code, concerned in by_cause(machines):
        worst = concerned[0].verdict
        yield (
            line((worst, COLOURS[worst])),
            line(code),
            line(str(len(concerned))),
            line(_names(concerned)),
        )
    good = [one for one in machines if one.verdict is Verdict.GOOD]
    for level in Level:
        alike = [one for one in good if one.level is level]
        if alike:
            cell = line((Verdict.GOOD, COLOURS[Verdict.GOOD]))
            yield cell, line(level), line(str(len(alike))), line(_names(alike))


def by_cause(machines: Sequence[Machine]) -> Iterator[tuple[str, list[Machine]]]:
    """Codes of all problems but notes, worst first, each with its machines."""
    found: dict[str, list[Machine]] = {}
    weights: dict[str, int] = {}
    for machine in machines:
        for one in machine.problems:
            if one.weight is not Weight.NOTE:
                found.setdefault(one.code, []).append(machine)
                weights[one.code] = tuple(Weight).index(one.weight)
    for code in sorted(found, key=lambda code: (weights[code], -len(found[code]))):
        yield code, found[code]


def _write_causes(machines: Sequence[Machine], output: Console) -> None:
    for code, concerned in by_cause(machines):
        first = _problem(concerned[0], code)
        heading = (code, WEIGHT_COLOURS[first.weight])
        write_line(output, heading, f": {counted(len(concerned), 'VM')}")
        for machine in concerned[:_MOST_SENTENCES]:
            write_paragraph(output, f"{machine.title}: {_problem(machine, code).sentence}", 2)
        if len(concerned) > _MOST_SENTENCES:
            write_paragraph(output, f"and {_names(concerned[_MOST_SENTENCES:])}", 2)
        if first.remedy:
            write_paragraph(output, first.remedy, 4, ("  > ", "bold"))
        write_line(output)


def _problem(machine: Machine, code: str) -> Problem:
    return next(one for one in machine.problems if one.code == code)


def _names(machines: Sequence[Machine]) -> str:
    shown = [machine.title for machine in machines[:_MOST_NAMES]]
    more = len(machines) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])


def _write_meanings(reports: Sequence[Report], output: Console) -> None:
    machines = [machine for report in reports for machine in report.machines]
    if not machines:
        return
    indent = max(map(len, Level)) + 2
    present = {machine.level for machine in machines}
    for level in Level:
        if level in present:
            write_paragraph(output, MEANINGS[level], indent, level)
    title = shlex.quote(machines[0].title)
    write_paragraph(output, f"One machine with its time line and every proof: --explain {title}", 0)
