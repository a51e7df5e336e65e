"""Snapshots by KubeVirt for people: those that are there, one of them whole, those to be made."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from stillpoint.cli.output import table
from stillpoint.cli.output.table import Column
from stillpoint.cli.output.terminal import line, write_line, write_paragraph
from stillpoint.cli.output.vm_snapshots import findings
from stillpoint.model.level import Level
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot as fields
from stillpoint.vm_snapshots.creation import Intended
from stillpoint.vm_snapshots.disks import Outlook
from stillpoint.vm_snapshots.reasons import Effect
from stillpoint.vm_snapshots.state import Proof, SnapshotState, Standing

_COLUMNS = (
    Column("SNAPSHOT"),
    Column("VM"),
    Column("STANDING"),
    Column("LEVEL"),
    Column("DISKS"),
    Column("SIZE", is_extra=True),
    Column("AGE"),
    Column("WHY", wraps=True),
)
_COLOURS = {
    Standing.READY: "green",
    Standing.UNDER_WAY: "yellow",
    Standing.FAILED: "red",
    Standing.UNKNOWN: "yellow",
}
_LEVELS = {
    Level.FILESYSTEM: "KubeVirt froze the guest and heard of no error; whether applications were "
    "at rest, and whether the freeze lasted, it does not say",
    Level.CRASH: "as a power failure leaves disks",
    Level.PAUSED: "the guest was paused; what was in its memory is not on the disks",
    Level.STOPPED: "the guest did not run",
    Level.NONE: "no disk is in it",
    Level.UNKNOWN: "what decides is not known",
}
_INDENT = 4


def write(states: Sequence[SnapshotState], now: datetime, output: Console) -> None:
    """Writes a table, a line for each."""
    if not states:
        write_line(output, "No snapshots.")
        return
    table.write(output, _COLUMNS, [_row(one, now) for one in states])


def write_one(state: SnapshotState, now: datetime, output: Console) -> None:
    """Writes all that is known of one."""
    item = state.item
    write_line(output, f"{state.title}: ", (state.standing, _COLOURS[state.standing]))
    taken = state.taken_at
    moment = f", {taken.isoformat()} ({_age(taken, now)} ago)" if taken else ""
    facts = (
        ("machine", fields.machine(item)),
        ("phase", f"{state.phase}{moment}"),
        ("deadline", fields.deadline(item)),
        ("content", _content(state)),
        ("size", _size(state.size_bytes)),
        ("level", f"{_level(state)}: {_LEVELS.get(state.level, '')}"),
        ("why", state.why()),
        ("error", fields.error(item)),
    )
    for name, value in facts:
        if value:
            write_paragraph(output, value, 10, (f"{name} ", "bold"))
    for word, sentence in state.indications:
        write_paragraph(output, f"{word}: {sentence or 'no message'}", 2 + _INDENT, "  - ")
    _write_disks(state, output)


def _write_disks(state: SnapshotState, output: Console) -> None:
    for disk in state.disks:
        ready = "ready" if disk.is_ready else "not ready"
        error = f": {disk.error}" if disk.error else ""
        text = (
            f"{disk.volume} (claim {disk.claim}, {disk.size or 'size not known'}), {ready}{error}"
        )
        write_paragraph(output, text, 2 + _INDENT, "in  ")
    if not fields.has_volumes(state.item):
        return
    for name in dict.fromkeys((*state.left_out, *fields.excluded(state.item))):
        text = "has data, which this snapshot lacks" if name in state.left_out else "has no data"
        write_paragraph(output, f"{name}: {text}", 2 + _INDENT, "not ")


def _content(state: SnapshotState) -> str:
    name = fields.content(state.item)
    if not name:
        return ""
    kept = "stays when the snapshot is deleted" if fields.retains_content(state.item) else ""
    gone = "" if state.content else "not found"
    return ", ".join(filter(None, (name, kept, gone)))


def _row(state: SnapshotState, now: datetime) -> Sequence[Text]:
    machine = fields.machine(state.item)
    taken = state.taken_at
    return (
        line(state.title),
        line(machine),
        line((state.standing, _COLOURS[state.standing])),
        line(_level(state)),
        line(_disks(state)),
        line(_size(state.size_bytes)),
        line(_age(taken, now) if taken else "?"),
        line(state.why()),
    )


def _level(state: SnapshotState) -> str:
    is_attempted = state.proof is Proof.ATTEMPTED
    return f"{state.level} ({state.proof})" if is_attempted else str(state.level)


def _disks(state: SnapshotState) -> str:
    if not fields.has_volumes(state.item):
        return "?"
    count = len(fields.included(state.item))
    return f"{count} of {count + len(state.left_out)}"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    size, units = float(size_bytes), ["B", "Ki", "Mi", "Gi", "Ti", "Pi"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.3g}{units[0]}"


def _age(moment: datetime, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def write_intention(
    wanted: Sequence[Intended],
    obstacles: Mapping[str, Sequence[str]],
    deadline: str,
    output: Console,
) -> None:
    """Writes what each snapshot would hold, and what speaks against it."""
    for one in wanted:
        taken = [disk.volume for disk in one.plan.disks if disk.outlook is Outlook.TAKEN]
        others = [disk for disk in one.plan.disks if disk.outlook is not Outlook.TAKEN]
        without = ", ".join(f"{disk.volume} ({disk.outlook})" for disk in others)
        write_line(output, (one.title, "bold"), f" of {one.plan.facts.title}")
        level = f"{one.expected} at best" if one.plan.facts.instance else str(one.expected)
        write_paragraph(output, ", ".join(taken) or "no disk", 10, "  with    ")
        if without:
            write_paragraph(output, without, 10, "  without ")
        write_paragraph(output, f"{level}; KubeVirt gives up after {deadline}", 10, "  level   ")
        findings.write(one.findings, output)
    for title, found in obstacles.items():
        findings.write_refusal(title, found, output)
    partial = any(one.effect is Effect.PARTIAL for each in wanted for one in each.findings)
    if partial and any(obstacles.values()):
        write_line(output, ("HINT:", "bold"), " --accept-partial makes snapshots that lack disks")
