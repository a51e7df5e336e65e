"""The part of the page about one machine."""

from collections.abc import Iterator, Sequence

from stillpoint.cli.output.backup_page import words
from stillpoint.cli.output.backup_page.picture import numbered, picture
from stillpoint.cli.output.backup_page.tables import table
from stillpoint.cli.output.markup import Markup, element, joined
from stillpoint.evidence.document import Statement
from stillpoint.model.weight import Weight
from stillpoint.report.model import Disk, Machine, Problem

WEIGHTS = {
    Weight.BLOCKS: ("bad", "not restorable"),
    Weight.DEGRADES: ("below", "not as demanded"),
    Weight.UNCERTAIN: ("unknown", "not known"),
    Weight.NOTE: ("note", "note"),
}
"""Class of a problem, and what it leads to."""

_DISK_COLUMNS = (
    "Disk",
    "Kept as",
    "Level",
    "Size",
    "Snapshot taken between (UTC)",
    "In the storage",
)


def section(machine: Machine, identifier: str) -> Markup:
    """All that is known of the machine."""
    heading = f"{identifier}h"
    return element(
        "article",
        element(
            "header",
            element("h3", machine.title, id=heading),
            words.badge(machine.verdict),
            element("span", _level(machine), class_="soft"),
        ),
        *_verification(machine),
        *problems(machine.problems),
        _figure(machine, identifier),
        _disks(machine),
        *_proofs(machine),
        *_timeline(machine),
        id=identifier,
        aria_labelledby=heading,
    )


def problems(found: Sequence[Problem]) -> Iterator[Markup]:
    """A list of what is wrong, or not known."""
    if not found:
        return
    entries = []
    for one in found:
        style, leads_to = WEIGHTS[one.weight]
        remedy = [element("p", "Remedy: ", one.remedy)] if one.remedy else []
        sentence = element("p", f"{one.sentence} ", element("code", one.code))
        entries.append(element("li", element("b", leads_to), sentence, *remedy, class_=style))
    yield element("ul", *entries, class_="problems")


def _verification(machine: Machine) -> Iterator[Markup]:
    found = machine.verification
    if found is None:
        return
    expected = f", expected at least {found.expected}" if not found.is_good else ""
    why = f": {found.why}" if found.why else ""
    yield element(
        "p",
        "Restored for a test, ",
        words.moment(found.at),
        f", {found.took_s:.0f} s: came back ",
        words.came_back(found),
        f"{expected}; the evidence: {found.agreement}{why}.",
    )


def _level(machine: Machine) -> str:
    said = [f"level {machine.level}"]
    if machine.demanded:
        said.append(f"demanded {machine.demanded}")
    elif machine.expected:
        said.append(f"expected {machine.expected}")
    if machine.frozen and machine.frozen.seconds is not None:
        said.append(f"stood still {words.seconds(machine.frozen.seconds)}")
    if machine.spread_s is not None:
        said.append(f"all snapshots within {words.seconds(machine.spread_s)}")
    if machine.kind != "VirtualMachine":
        said.append(machine.kind)
    return " · ".join(said)


def _figure(machine: Machine, identifier: str) -> Markup:
    drawn = picture(machine, identifier)
    if drawn is None:
        return element("p", "No time of a snapshot or of a freeze is known.", class_="soft")
    return element("figure", drawn, class_="wide")


def _disks(machine: Machine) -> Markup:
    if not machine.disks:
        return element("p", "It has no disks in this backup.", class_="soft")
    return table(f"Disks of {machine.title}", _DISK_COLUMNS, map(_disk, machine.disks))


def _disk(disk: Disk) -> Markup:
    claim = "" if disk.claim == disk.name else f"claim {disk.claim}"
    shared = f"shared with {words.listed(disk.shared_with)}" if disk.shared_with else ""
    more = [element("div", said, class_="soft") for said in (claim, shared) if said]
    stored = [element("code", disk.handle)] if disk.handle else []
    driver = [element("div", disk.driver, class_="soft")] if disk.driver else []
    return element(
        "tr",
        element("th", disk.name, *more, scope="row"),
        element("td", str(disk.method)),
        element("td", str(disk.level)),
        element("td", words.size(disk.size_bytes)),
        element("td", words.between(disk.cut)),
        element("td", *stored, *driver),
    )


def _proofs(machine: Machine) -> Iterator[Markup]:
    """Proofs and what is missing; once for all disks for which they are the same."""
    groups: dict[tuple[Sequence[Statement], Sequence[Statement]], list[str]] = {}
    for disk in machine.disks:
        if disk.evidence:
            key = (disk.evidence.proofs, disk.evidence.missing)
            groups.setdefault(key, []).append(disk.name)
    for (proofs, missing), names in groups.items():
        is_of_all = len(names) == len(machine.disks)
        of = "" if is_of_all else f": {words.listed(names)}"
        yield from _statements(f"How it is known{of}", proofs)
        yield from _statements(f"Not known{of}", missing)
    without = [disk.name for disk in machine.disks if not disk.evidence]
    if without and len(without) == len(machine.disks):
        yield element("p", "No evidence is stored with its disks.", class_="soft")
    elif without:
        yield element("p", f"No evidence is stored with {words.listed(without)}.", class_="soft")
    yield from _applications(machine)


def _statements(heading: str, statements: Sequence[Statement]) -> Iterator[Markup]:
    if not statements:
        return
    yield element("h4", heading)
    yield element("ul", *map(_statement, statements))


def _statement(statement: Statement) -> Markup:
    return element("li", f"{statement.says} ", element("code", statement.code))


def _applications(machine: Machine) -> Iterator[Markup]:
    found = [disk.evidence for disk in machine.disks if disk.evidence]
    applications = dict.fromkeys(name for one in found for name in one.applications)
    if applications:
        said = f"By the guest's own word it brought to rest: {words.listed(list(applications))}."
        yield element("p", said)
    records = list(dict.fromkeys(one.record for one in found if one.record))
    if records:
        codes = [part for one in records for part in (element("code", one), " ")]
        yield element("p", "Its record on the disk: ", joined(codes), class_="soft")


def _timeline(machine: Machine) -> Iterator[Markup]:
    if not machine.events:
        return
    rows = [
        element(
            "tr",
            element("td", str(number)),
            element("td", words.hour(event.at)),
            element("td", event.clock),
            element("td", event.says),
        )
        for number, event in numbered(machine)
    ]
    columns = ("No.", "Time (UTC)", "Clock", "What happened")
    yield table(f"Timeline of {machine.title}", columns, rows)
