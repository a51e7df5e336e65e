"""A verification as a person reads it: what contradicts the evidence first."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from stillpoint.cli.output import table
from stillpoint.cli.output.table import Column
from stillpoint.cli.output.terminal import line, write_line, write_paragraph
from stillpoint.cli.output.verification import words
from stillpoint.evidence.verified import Agreement, CameBack
from stillpoint.model.names import counted
from stillpoint.verification.model import Result, Run

_COLUMNS = (
    Column("VM"),
    Column("CAME BACK"),
    Column("EXPECTED", is_extra=True),
    Column("EVIDENCE"),
    Column("LEVEL", is_extra=True),
    Column("TOOK"),
    Column("WHY", wraps=True),
)
_COLOURS = {
    Agreement.CONTRADICTED: "red",
    Agreement.OPEN: "yellow",
    Agreement.CONFIRMED: "green",
    Agreement.NONE: "",
}

_NEEDS_NETWORK = (
    "an application that does not start without its network interface answers with "
    "--network isolated"
)


def write(run: Run, output: Console) -> None:
    """Writes contradictions, the table, every sentence of what is not as expected, and the rest."""
    results = words.ordered(run)
    _write_contradictions(results, output, run.network)
    _write_heading(run, output)
    if results:
        table.write(output, _COLUMNS, [_row(one) for one in results])
        write_line(output)
    for one in results:
        _write_details(one, output)
    _write_left(run, output)
    _write_meanings(results, output)


def _write_contradictions(results: Sequence[Result], output: Console, network: str) -> None:
    contradicted = [one for one in results if one.contradictions]
    for one in contradicted:
        for says in one.contradictions:
            write_paragraph(output, f"{one.title}: {says}", 14, ("CONTRADICTED", "red"))
    if network == "none" and any(map(_is_silent, contradicted)):
        write_paragraph(output, _NEEDS_NETWORK, 6, ("HINT:", "bold"))
    if contradicted:
        write_line(output)


def _is_silent(one: Result) -> bool:
    return any(line.answers and line.answers.no for line in one.observed.lines)


def _write_heading(run: Run, output: Console) -> None:
    sample = "" if run.seed is None else f" (--seed {run.seed})"
    chosen = f"{len(run.results)} of {counted(run.machines, 'virtual machine')}{sample}"
    title = f"{run.namespace}/{run.backup}"
    write_paragraph(output, f"Backup {title}, verified: {chosen}, network {run.network}.")
    counts = Counter(one.came_back for one in run.results)
    summary = ", ".join(f"{counts[one]} {one}" for one in CameBack if counts[one])
    if summary:
        write_paragraph(output, f"Came back: {summary}.")
    write_line(output)


def _row(one: Result) -> Sequence[Text]:
    return (
        line(one.title),
        line((one.came_back, _colour(one))),
        line(one.expected),
        line((one.agreement, _COLOURS[one.agreement])),
        line(one.level),
        line(f"{one.took_s:.0f} s" if one.took_s else ""),
        line(next(iter(words.why(one)), "")),
    )


def _colour(one: Result) -> str:
    if one.came_back is CameBack.NOT:
        return "red"
    return "green" if one.came_back.is_at_least(one.expected) else "yellow"


def _write_details(one: Result, output: Console) -> None:
    """Writes what the table has no room for."""
    said = [*words.why(one)[1:], *one.observed.notes]
    if said:
        write_line(output, (one.title, "bold"))
        for text in said:
            write_paragraph(output, text, 4)
        write_line(output)


def _write_left(run: Run, output: Console) -> None:
    left = words.left(run)
    for text in left:
        write_paragraph(output, f"could not be deleted: {text}", 2, ("! ", "red"))
    if left:
        write_line(output)


def _write_meanings(results: Sequence[Result], output: Console) -> None:
    present = {one.came_back for one in results}
    indent = max(map(len, CameBack)) + 2
    for came_back in CameBack:
        if came_back in present:
            write_paragraph(output, words.MEANINGS[came_back], indent, came_back)
