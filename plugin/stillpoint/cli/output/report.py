"""The findings of a rehearsal as a person reads them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from stillpoint.cli.output import table
from stillpoint.cli.output.table import Column
from stillpoint.cli.output.terminal import line, write_line, write_paragraph
from stillpoint.model.level import Level
from stillpoint.model.names import counted
from stillpoint.model.weight import Weight
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from stillpoint.rehearsal.verdict.arrival_reasons import ARRIVAL_REASONS
from stillpoint.rehearsal.verdict.reasons import REASONS
from stillpoint.rehearsal.verdict.verdict import Finding, Verdict

Cell = TypeVar("Cell")

MOST_ROWS = 20
"""Of more machines, reasons are shown with their machines, not machines with their reasons."""

_MOST_NAMES = 5
_MOST_ERRORS = 3
_LONGEST = 38
_COLUMNS = (
    Column("VM"),
    Column("VERDICT"),
    Column("EXPECT"),
    Column("DISKS"),
    Column("ITEMS"),
    Column("RESTORE", is_extra=True),
    Column("WHY NOT READY", wraps=True),
)
_GROUP_COLUMNS = (
    Column("VERDICT"),
    Column("REASON"),
    Column("VMS"),
    Column("FOR INSTANCE", wraps=True),
)
COLOURS = {Verdict.BLOCKED: "red", Verdict.DEGRADED: "yellow", Verdict.READY: "green"}
_WEIGHT_COLOURS = {Weight.BLOCKS: "red", Weight.DEGRADES: "yellow", Weight.UNCERTAIN: "yellow"}
_MEANINGS = {
    Level.APPLICATION: "applications in the guest are at rest while all snapshots are taken.",
    Level.FILESYSTEM: "the agent answers and a hook asks it to freeze: all snapshots are taken in "
    "that one freeze. Whether applications in the guest are quiesced, and that it did freeze, no "
    "object of a cluster shows.",
    Level.CRASH: "nothing freezes the guest: its disks are as a power failure would leave them.",
    Level.STOPPED: "nothing runs, so nothing needs to be frozen.",
    Level.PAUSED: "the guest stands still, but what it held in memory is not on its disks.",
    Level.MIXED: "not all snapshots are taken within one freeze.",
    Level.NONE: "the backup takes no data of disks.",
    Level.UNKNOWN: "what was read does not tell.",
}


def write(found: Rehearsal, output: Console) -> None:
    """Writes heading, table, reasons with remedies, and a legend."""
    _write_heading(found, output)
    machines = sorted(found.machines, key=_worst_first)
    if machines:
        is_long = len(machines) > MOST_ROWS
        columns: Sequence[Column] = _GROUP_COLUMNS if is_long else _COLUMNS
        rows = list(_groups(machines)) if is_long else [_row(machine) for machine in machines]
        if found.of and not is_long:
            columns, rows = _without_level(columns), [_without_level(row) for row in rows]
        table.write(output, columns, rows)
        write_line(output)
        _write_reasons(machines, output)
        _write_conflicts(found, output)
        _write_meanings(machines, output, has_levels=not found.of)


def _write_heading(found: Rehearsal, output: Console) -> None:
    what = "the restore of a finished backup" if found.of else "a backup and a restore"
    write_paragraph(output, f"Rehearsed {what}: {found.known.origin}.")
    blocks = "" if found.of else f" in {counted(len(found.backup.blocks), 'block')}"
    write_paragraph(
        output,
        f"{counted(len(found.backup.stored), 'item')}{blocks}, through the plugin's own actions, "
        f"which would send {counted(found.requests, 'request')} to the cluster.",
    )
    counts = Counter(machine.judged.verdict for machine in found.machines)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    write_paragraph(
        output, f"{counted(len(found.machines), 'virtual machine')}: {summary or 'none found'}."
    )
    for unread in found.known.unread:
        where = f"cannot list {unread.resource}: " if unread.resource and unread.is_served else ""
        write_paragraph(output, f"{where}{unread.cause}", 2, ("! ", "yellow"))
        if unread.hint:
            write_paragraph(output, unread.hint, 4)
    write_line(output)


def _worst_first(machine: Machine) -> tuple[int, str]:
    return tuple(Verdict).index(machine.judged.verdict), machine.title


def _row(machine: Machine) -> Sequence[Text]:
    judged = machine.judged
    codes = [one.code for one in judged.findings if one.weight is not Weight.NOTE]
    return (
        line(_short(machine.title)),
        line((judged.verdict, COLOURS[judged.verdict])),
        line(judged.level),
        line(_disks(machine)),
        line(str(len(machine.stored))),
        line(restore_counts(machine.restored)),
        line(", ".join(codes)),
    )


def _without_level(cells: Sequence[Cell]) -> Sequence[Cell]:
    """The cells of a finished backup, of which no level is to be expected."""
    place = next(number for number, one in enumerate(_COLUMNS) if one.title == "EXPECT")
    return (*cells[:place], *cells[place + 1 :])


def _short(title: str) -> str:
    """A name that leaves room for the other columns; JSON and --explain show the full name."""
    return title if len(title) <= _LONGEST else f"{title[:17]}...{title[20 - _LONGEST :]}"


def _disks(machine: Machine) -> str:
    hotplugged = f" ({len(machine.hotplugged)} hot)" if machine.hotplugged else ""
    return f"{len(machine.disks)}{hotplugged}"


def restore_counts(items: Iterable[RestoredItem]) -> str:
    """`9 new, 4 skipped`; failed ones first."""
    counts = Counter(one.result for one in items)
    words = {
        RestoreResult.FAILED: "failed",
        RestoreResult.CREATED: "new",
        RestoreResult.UPDATED: "updated",
        RestoreResult.SKIPPED: "skipped",
    }
    parts = (f"{counts[result]} {word}" for result, word in words.items() if counts[result])
    return ", ".join(parts) or "nothing"


def _groups(machines: Sequence[Machine]) -> Iterator[Sequence[Text]]:
    verdicts = {Weight.BLOCKS: Verdict.BLOCKED, Weight.NOTE: Verdict.READY}
    for code, concerned in _by_reason(machines):
        weight = _finding(concerned[0], code).weight
        verdict = verdicts.get(weight, Verdict.DEGRADED)
        names = _names(concerned)
        yield line((verdict, COLOURS[verdict])), line(code), line(str(len(concerned))), line(names)
    ready = [one for one in machines if one.judged.verdict is Verdict.READY]
    if ready:
        cell = line((Verdict.READY, COLOURS[Verdict.READY]))
        yield cell, line(""), line(str(len(ready))), line(_names(ready))


def _by_reason(machines: Sequence[Machine]) -> Iterator[tuple[str, list[Machine]]]:
    """Codes of all but notes, worst first, each with its machines."""
    by_code: dict[str, list[Machine]] = {}
    weights = {}
    for machine in machines:
        for one in machine.judged.findings:
            if one.weight is not Weight.NOTE:
                by_code.setdefault(one.code, []).append(machine)
                weights[one.code] = tuple(Weight).index(one.weight)
    order = {reason.code: rank for rank, reason in enumerate((*REASONS, *ARRIVAL_REASONS))}
    for code in sorted(by_code, key=lambda code: (weights[code], order.get(code, -1))):
        yield code, by_code[code]


def _write_reasons(machines: Sequence[Machine], output: Console) -> None:
    for code, concerned in _by_reason(machines):
        first = _finding(concerned[0], code)
        heading = (code, _WEIGHT_COLOURS[first.weight])
        write_line(output, heading, f": {counted(len(concerned), 'VM')}")
        for machine in concerned[:_MOST_ERRORS]:
            finding = _finding(machine, code)
            write_paragraph(output, f"{machine.title}: {finding.sentence}", 2)
        if len(concerned) > _MOST_ERRORS:
            write_paragraph(output, f"and {_names(concerned[_MOST_ERRORS:])}", 2)
        if first.remedy:
            write_paragraph(output, first.remedy, 4, ("  > ", "bold"))
        write_line(output)


def _finding(machine: Machine, code: str) -> Finding:
    return next(one for one in machine.judged.findings if one.code == code)


def _names(machines: Sequence[Machine]) -> str:
    shown = [machine.title for machine in machines[:_MOST_NAMES]]
    more = len(machines) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])


def _write_conflicts(found: Rehearsal, output: Console) -> None:
    if not found.is_into_cluster:
        return
    write_line(output, "The restore into this cluster, by result:")
    groups: dict[tuple[str, str], list[RestoredItem]] = {}
    for one in found.restored:
        what = f"{one.result}{' under another name' if one.renamed else ''}"
        groups.setdefault((what, one.why), []).append(one)
    for (what, why), items in sorted(groups.items()):
        shown = [item_title(one) for one in items[:_MOST_NAMES]]
        more = [f"{len(items) - len(shown)} more"] if len(items) > len(shown) else []
        reason = f" ({why})" if why else ""
        write_paragraph(
            output, f"{len(items)} {what}{reason}: {', '.join([*shown, *more])}", 4, "  "
        )
    write_line(output)


def item_title(one: RestoredItem) -> str:
    """The item's name and, if that changes, its new name."""
    return f"{one.reference} -> {one.renamed}" if one.renamed else str(one.reference)


def _write_meanings(machines: Sequence[Machine], output: Console, *, has_levels: bool) -> None:
    indent = max(map(len, Level)) + 2
    present = {machine.judged.level for machine in machines}
    for level in Level:
        if has_levels and level in present:
            write_paragraph(output, _MEANINGS[level], indent, level)
    if any(machine.hotplugged for machine in machines):
        text = "of these disks, hot-plugged: a pod of its own attaches each, not virt-launcher."
        write_paragraph(output, text, indent, "hot")
    text = "the restore leaves out what KubeVirt and the storage recreate."
    write_paragraph(output, text, indent, "skipped")
    first = machines[0].title
    write_paragraph(output, f"One machine with all that belongs to it: --explain {first}", 0)
