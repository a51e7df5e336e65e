"""The findings of a check as a person reads them."""

from collections import Counter

from rich.console import Console

from stillpoint.check.finding import Area, Finding, Row
from stillpoint.check.report import Report
from stillpoint.cli.output.terminal import write_line, write_paragraph
from stillpoint.model.names import counted
from stillpoint.model.weight import Weight

_MOST_SUBJECTS = 5
_COLOURS = {Weight.BLOCKS: "red", Weight.DEGRADES: "yellow", Weight.NOTE: ""}
_WIDEST = max(map(len, _COLOURS))


def write(found: Report, output: Console) -> None:
    """Writes heading, findings by area with their remedies, and what is not known."""
    _write_heading(found, output)
    write_findings(found, output)
    _write_open(found, output)
    if found.findings:
        code = found.findings[0].row.code
        write_paragraph(output, f"Cause, and how to see it by hand: --explain {code}", 0)


def write_findings(found: Report, output: Console) -> None:
    """Writes findings by area, each with its remedies."""
    title = ""
    for finding in found.findings:
        if finding.area.title != title:
            title = finding.area.title
            write_line(output, (title, "bold"))
        _write_finding(finding, output)


def _write_heading(found: Report, output: Console) -> None:
    write_paragraph(output, f"Checked an installation: {found.case.known.origin}.")
    where = ", ".join(found.namespaces)
    write_paragraph(output, f"Velero: {f'namespace {where}' if where else 'not found'}.")
    if found.versions:
        write_paragraph(output, f"Versions: {', '.join(found.versions)}.")
    counts = Counter(one.row.weight for one in found.findings)
    summary = [f"{counts[weight]} {_noun(weight)}" for weight in _COLOURS if counts[weight]]
    if found.open:
        summary.append(f"{len(found.open)} not known")
    write_paragraph(
        output,
        f"{counted(len(found.findings), 'finding')}{': ' if summary else ''}{', '.join(summary)}.",
    )
    for unread in found.case.known.unread:
        write_paragraph(
            output, f"cannot read {unread.resource}: {unread.cause}", 2, ("! ", "yellow")
        )
        if unread.hint:
            write_paragraph(output, unread.hint, 4)
    write_line(output)


def _noun(weight: Weight) -> str:
    return {Weight.BLOCKS: "blocking", Weight.DEGRADES: "degrading"}.get(weight, "to note")


def _write_finding(finding: Finding, output: Console) -> None:
    row = finding.row
    first = (f"  {row.weight}", _COLOURS[row.weight])
    write_paragraph(output, f"{row.code}: {row.sentence}", _WIDEST + 4, first)
    shown = finding.subjects[:_MOST_SUBJECTS]
    for subject in shown:
        write_paragraph(output, subject.about, _WIDEST + 4)
    if more := len(finding.subjects) - len(shown):
        write_paragraph(output, f"and {more} more", _WIDEST + 4)
    for remedy in dict.fromkeys(subject.remedy for subject in shown):
        write_paragraph(output, remedy, _WIDEST + 6, (" " * (_WIDEST + 4) + "> ", "bold"))
    write_line(output)


def _write_open(found: Report, output: Console) -> None:
    """Each cause for what is not known, once, with all codes that it leaves open."""
    by_cause: dict[str, list[str]] = {}
    for one in found.open:
        for cause in one.causes:
            by_cause.setdefault(cause, []).append(one.row.code)
    if by_cause:
        write_line(output, ("Not known", "bold"))
    for cause, codes in by_cause.items():
        write_paragraph(output, f"{cause}; not judged: {', '.join(codes)}", 4, ("  ? ", "yellow"))
    if by_cause:
        write_line(output)


def explain(area: Area, row: Row, output: Console) -> None:
    """Writes a finding with its cause, what shows it by hand, and the remedy."""
    write_line(output, (row.code, "bold"), f" ({area.title}, {row.weight}): {row.sentence}")
    for title, text in (
        ("cause", row.cause),
        ("by hand", row.by_hand),
        ("remedy", row.general_remedy),
    ):
        write_paragraph(output, text, 11, f"  {title}")
