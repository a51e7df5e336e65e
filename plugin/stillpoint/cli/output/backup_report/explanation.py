"""A machine of a backup with its disks, its time line, every proof and what is missing."""

import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.tree import Tree

from stillpoint.cli.output.backup_report import words
from stillpoint.cli.output.backup_report.table import COLOURS, MEANINGS
from stillpoint.cli.output.branches import add, entry
from stillpoint.cli.output.terminal import line, write_lines
from stillpoint.evidence.document import Evidence, Statement
from stillpoint.model.errors import StillpointError
from stillpoint.report.model import Disk, Machine, Problem, Report


def write(reports: Sequence[Report], name: str, output: Console) -> None:
    """Writes a tree for each backup that has the machine: wrapped on a terminal alone.

    Args:
        name: `NAME` or `NAMESPACE/NAME`.

    Raises:
        StillpointError: no backup has such a machine, or one has several.
    """
    chosen = list(_chosen(reports, name))
    if not chosen:
        titles = [one.title for report in reports for one in report.machines]
        cause = "the backup has no such machine"
        hint = f"it has {', '.join(dict.fromkeys(titles[:10]))}" if titles else ""
        raise StillpointError(f"machine {name}", "cannot explain it", cause, hint)
    for report, machine in chosen:
        tree = _tree(machine, report)
        write_lines(output, tree, output.width if output.is_terminal else sys.maxsize)


def _chosen(reports: Sequence[Report], name: str) -> Iterator[tuple[Report, Machine]]:
    for report in reports:
        found = [one for one in report.machines if name in (one.title, one.name)]
        if len(found) > 1:
            hint = f"there are {', '.join(one.title for one in found)}"
            cause = "more than one has that name"
            raise StillpointError(f"machine {name}", "cannot explain it", cause, hint)
        yield from ((report, one) for one in found)


def _tree(machine: Machine, report: Report) -> Tree:
    verdict = (machine.verdict, COLOURS[machine.verdict])
    backup = f"in backup {words.title(report.backup)}"
    tree = Tree(line(f"{machine.kind} {machine.title}  ", verdict, f", {machine.level} {backup}"))
    add(tree, "level", [entry(text) for text in _level(machine)])
    add(tree, "restored for a test", map(entry, _verification(machine)))
    add(tree, "problems", map(_problem, machine.problems))
    add(tree, "disks", map(_disk, machine.disks))
    add(tree, "proofs", _statements(machine, "proofs"))
    add(tree, "not known", _statements(machine, "missing"))
    add(tree, f"time line, {_day(machine)}", map(entry, _events(machine)))
    return tree


def _level(machine: Machine) -> Iterator[str]:
    yield f"{machine.level}: {MEANINGS[machine.level]}"
    if machine.demanded:
        yield f"demanded: {machine.demanded}"
    elif machine.expected:
        yield f"to be expected: {machine.expected} or better"
    yield f"could be restored: {words.restorable(machine)}"
    if machine.frozen:
        span = f"{words.precise(machine.frozen.start)} to {words.precise(machine.frozen.end)}"
        yield f"stood still: {words.seconds(words.frozen_s(machine)) or 'for how long?'}, {span}"
    if machine.spread_s is not None:
        yield f"first to last snapshot: {words.seconds(machine.spread_s)} at most"


def _verification(machine: Machine) -> Iterator[str]:
    found = machine.verification
    if found is None:
        return
    yield f"{words.moment(found.at)}, {found.took_s:.0f} s"
    yield f"came back: {found.came_back}; expected at least: {found.expected}"
    yield f"the evidence: {found.agreement}"
    if found.why:
        yield f"why: {found.why}"


def _problem(one: Problem) -> Tree:
    remedy = [entry(f"remedy: {one.remedy}")] if one.remedy else []
    return entry(f"{one.weight} {one.code}: {one.sentence}", *remedy)


def _disk(one: Disk) -> Tree:
    evidence = one.evidence
    facts = (
        ("snapshot taken", words.cut(one.cut)),
        (
            "handle",
            f"{one.handle}{f' of {one.driver}' if one.driver else ''}" if one.handle else "",
        ),
        ("size", f"{one.size_bytes:,} bytes" if one.size_bytes else ""),
        ("shared with", ", ".join(one.shared_with)),
        ("record of the guest", evidence.record if evidence else ""),
        ("at rest, by the guest's word", ", ".join(evidence.applications) if evidence else ""),
    )
    entries = (entry(f"{what}: {text}") for what, text in facts if text)
    return entry(f"{words.disk(one)}: {one.method}, {one.level}", *entries)


def _statements(machine: Machine, which: str) -> Iterator[Tree]:
    """Each statement once, with the disks that it is about unless these are all."""
    evidences = [(disk.claim, disk.evidence) for disk in machine.disks if disk.evidence]
    claims: dict[Statement, list[str]] = {}
    for claim, evidence in evidences:
        for statement in _of(evidence, which):
            claims.setdefault(statement, []).append(claim)
    for statement, about in claims.items():
        where = f"  [{', '.join(about)}]" if len(about) < len(evidences) else ""
        yield entry(f"{statement.code}: {statement.says}{where}")


def _of(evidence: Evidence, which: str) -> Sequence[Statement]:
    return evidence.proofs if which == "proofs" else evidence.missing


def _day(machine: Machine) -> str:
    day = words.moment(machine.events[0].at)[:10] if machine.events else ""
    return f"{day} (UTC; each clock may differ from the others)"


def _events(machine: Machine) -> Iterator[str]:
    for event in machine.events:
        yield f"{words.precise(event.at)}  {event.clock:<7} {event.what}: {event.says}"
