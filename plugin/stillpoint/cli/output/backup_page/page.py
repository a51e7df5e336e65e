"""The whole page, as text that comes in parts: one for each machine."""

from collections import Counter
from collections.abc import Iterator, Sequence

from stillpoint.cli.output.backup_page import style, words
from stillpoint.cli.output.backup_page.section import WEIGHTS, problems, section
from stillpoint.cli.output.backup_page.tables import table
from stillpoint.cli.output.markup import Markup, element, joined, verbatim
from stillpoint.model.level import Level
from stillpoint.model.names import counted
from stillpoint.model.weight import Weight
from stillpoint.report.model import Machine, Problem, Report, Verdict

_MOST_NAMED = 12
"""Machines that a cause names; the table has all."""

_COLUMNS = ("Machine", "Verdict", "Level", "Demanded", "Disks", "Stood still", "Snapshots within")
_CAME_BACK = "Came back"
_NO_GUEST = "no guest ran"

_ANSWERS = {
    Verdict.GOOD: "Every machine could be restored, and is as consistent as was demanded of it.",
    Verdict.BELOW: "Some machines are less consistent than was demanded, or is to be expected.",
    Verdict.NOT_RESTORABLE: "Some machines would not come back, or not with all their data.",
    Verdict.UNKNOWN: "Nothing is known to be wrong, but not all that decides is known.",
}

_PICTURES = (
    "In each picture the guest stood still where the ground is shaded, and each snapshot was taken "
    "at some moment within its bar. Numbers are those of the timeline below it. Pictures have the "
    "plugin's clock alone; timelines have other clocks, too, which may differ from it."
)

_LEVELS = {
    Level.APPLICATION: "every application that keeps data was at rest: it starts with all that it "
    "had acknowledged",
    Level.FILESYSTEM: "filesystems were frozen while all disks were taken; applications start as "
    "after a power failure",
    Level.CRASH: "as a power failure leaves disks",
    Level.STOPPED: "the guest did not run",
    Level.PAUSED: "the guest was paused; what was in its memory is not on its disks",
    Level.MIXED: "not all disks were taken in one frozen window",
    Level.NONE: "no disk was taken",
    Level.UNKNOWN: "what decides is not known; nothing is taken for good because a fact is missing",
}


def parts(report: Report) -> Iterator[str]:
    """The page, part by part; see `stillpoint.report.model` for what is in it."""
    machines = [(f"m{number}", one) for number, one in enumerate(report.machines, start=1)]
    title = f"Backup {report.backup.name or '(name not known)'}: {report.verdict}"
    yield f'<!DOCTYPE html>\n<html lang="en">\n{_head(title)}\n<body>\n'
    yield element("a", "Skip to the verdict", href="#verdict", class_="skip")
    yield _header(report)
    yield '\n<main id="verdict">\n'
    yield joined(_answer(report), _causes(machines), _overview(machines))
    if machines:
        yield f"\n{element('h2', 'Each machine')}{element('p', _PICTURES)}"
    for identifier, machine in machines:
        yield f"\n{section(machine, identifier)}"
    yield f"\n{_guide()}\n</main>\n{_footer(report)}\n"
    yield f"{verbatim('script', style.SCRIPT)}\n</body>\n</html>\n"


def _head(title: str) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=style.policy()),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="referrer", content="no-referrer"),
        element("meta", name_="robots", content="noindex"),
        element("title", title),
        verbatim("style", style.STYLE),
    )


def _header(report: Report) -> Markup:
    backup = report.backup
    facts: list[tuple[str, str | Markup]] = [
        ("Started", words.moment(backup.started)),
        ("Completed", words.moment(backup.completed)),
        ("Expires", words.moment(backup.expires)),
        ("Velero says", backup.phase or words.NOT_KNOWN),
        ("Errors and warnings", f"{_number(backup.errors)} and {_number(backup.warnings)}"),
        (
            "Hooks that failed",
            f"{_number(backup.hooks_failed)} of {_number(backup.hooks_attempted)}",
        ),
        ("Machines", str(len(report.machines))),
        ("Read", words.moment(report.read_at)),
        ("Read from", backup.origin),
        ("Uid", element("code", backup.uid or "not known")),
    ]
    entries = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    name = f"{backup.namespace}/{backup.name}" if backup.namespace else backup.name
    return element(
        "header",
        element("p", "Report on a backup of virtual machines", class_="kicker"),
        element("h1", name or "Backup without a known name"),
        element("dl", *entries, class_="facts"),
    )


def _number(count: int | None) -> str:
    return "unknown" if count is None else str(count)


def _answer(report: Report) -> Markup:
    if not report.machines and report.verdict is Verdict.GOOD:
        sentence = "There is no virtual machine in it."
    else:
        sentence = _ANSWERS[report.verdict]
    kind, sign = words.STYLES[report.verdict]
    counts = Counter(one.verdict for one in report.machines)
    tally = [f"{counts[one]} {one}" for one in Verdict if counts[one]]
    failure = [element("p", f"Velero: {report.backup.failure}")] if report.backup.failure else []
    return element(
        "section",
        element(
            "div",
            element("p", element("strong", f"{sign} {report.verdict}")),
            element("p", sentence, " ", f"Machines: {', '.join(tally)}." if tally else ""),
            *failure,
            class_=f"answer {kind}",
        ),
        *problems(report.problems),
        aria_label="Verdict",
    )


def _causes(machines: Sequence[tuple[str, Machine]]) -> Markup:
    """The causes of what is wrong, each once with its machines, worst first; notes are none."""
    causes: dict[str, list[tuple[str, Machine, Problem]]] = {}
    for identifier, machine in machines:
        for one in machine.problems:
            if one.weight is Weight.NOTE:
                continue
            causes.setdefault(one.code, []).append((identifier, machine, one))
    if not causes:
        return joined()
    order = list(Weight)
    ranked = sorted(
        causes.values(), key=lambda found: (order.index(found[0][2].weight), -len(found))
    )
    head = ("Cause", "Leads to", "Machines", "What to do")
    found = table("What is wrong, each cause once", head, map(_cause, ranked))
    return element("section", element("h2", "Causes"), found, aria_label="Causes")


def _cause(found: Sequence[tuple[str, Machine, Problem]]) -> Markup:
    first = found[0][2]
    of_machines = {identifier: machine.title for identifier, machine, _problem in found}
    links = [element("a", of_machines[one], href=f"#{one}") for one in of_machines]
    shown = [part for link in links[:_MOST_NAMED] for part in (link, ", ")][:-1]
    rest = len(links) - _MOST_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    count = f"{counted(len(links), 'machine')}: "
    remedies = dict.fromkeys(one.remedy for _identifier, _machine, one in found if one.remedy)
    kind, leads_to = WEIGHTS[first.weight]
    said = first.sentence if len(links) == 1 else f"for instance: {first.sentence}"
    return element(
        "tr",
        element(
            "th", element("code", first.code), element("div", said, class_="soft"), scope="row"
        ),
        element("td", element("span", leads_to, class_=f"badge {kind}")),
        element("td", count, joined(shown), more),
        element("td", next(iter(remedies), "")),
    )


def _overview(machines: Sequence[tuple[str, Machine]]) -> Markup:
    if not machines:
        return joined()
    is_tried = any(machine.verification for _identifier, machine in machines)
    columns = (*_COLUMNS, _CAME_BACK) if is_tried else _COLUMNS
    rows = (_row(*one, is_tried=is_tried) for one in machines)
    found = table("All machines, worst first", columns, rows)
    return element("section", element("h2", "Machines"), _filter(), found, aria_label="Machines")


def _filter() -> Markup:
    """Fields that the page's script shows; without it nothing is lost."""
    options = [element("option", "all", value="")]
    options += [element("option", str(one), value=str(one)) for one in Verdict]
    count = element("output", id="count", for_="by-name by-verdict")
    return element(
        "form",
        element("label", "Name contains", element("input", type="search", id="by-name")),
        element("label", "Verdict", element("select", *options, id="by-verdict")),
        count,
        id="filter",
        class_="filter",
        hidden="",
        role="search",
        aria_label="Machines",
    )


def _row(identifier: str, machine: Machine, *, is_tried: bool) -> Markup:
    frozen_s = machine.frozen.seconds if machine.frozen else None
    came_back = [element("td", words.came_back(machine.verification))] if is_tried else []
    return element(
        "tr",
        element("th", element("a", machine.title, href=f"#{identifier}"), scope="row"),
        element("td", words.badge(machine.verdict)),
        element("td", str(machine.level)),
        element("td", str(machine.demanded or "nothing")),
        element("td", str(len(machine.disks))),
        element("td", _NO_GUEST if machine.level is Level.STOPPED else words.seconds(frozen_s)),
        element("td", words.seconds(machine.spread_s)),
        *came_back,
        data_verdict=str(machine.verdict),
        data_of=identifier,
    )


def _guide() -> Markup:
    levels = [
        element("div", element("dt", str(level)), element("dd", meaning))
        for level, meaning in _LEVELS.items()
    ]
    said = (
        "The level of a disk is concluded from what the cluster and the guest showed while the "
        "backup was made, and is stored with the disk under a seal that nobody can make who does "
        "not know the Backup's uid. Statements of a guest can be forged by who is root in it; "
        "times of snapshots, hooks and stopped or paused guests are facts of the cluster."
    )
    return element(
        "section",
        element("h2", "How to read this"),
        element("p", said),
        element("dl", *levels, class_="facts"),
        aria_label="How to read this",
    )


def _footer(report: Report) -> Markup:
    said = "Made by stillpoint report, from the files of the backup alone. "
    evidence = (
        "The backup was made with stillpoint's plugin."
        if report.backup.has_evidence
        else "Nothing in the backup says that stillpoint's plugin took part in it."
    )
    return element("footer", element("p", said, evidence))
