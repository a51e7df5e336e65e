"""Writes the tables of docs that are made from the code (`make docs`), or checks them (`--check`).

A page has a table between two lines:

    <!-- made by make docs: reasons -->
    <!-- end -->

What it says stands at the code that it is about; see `TABLES` for where.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stillpoint import catalogue
from stillpoint.calls.action import Entry, ItemBlockEntry, Kind, every
from stillpoint.check import registry
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs import VERBS
from stillpoint.evidence.rules import ROWS
from stillpoint.model.api_resources import KNOWN
from stillpoint.model.outcome import Selector
from stillpoint.rehearsal.verdict.arrival_reasons import ARRIVAL_REASONS
from stillpoint.rehearsal.verdict.reasons import REASONS, UNREADABLE
from stillpoint.report import of_backup, problems
from stillpoint.vm_snapshots.reasons import SNAPSHOT_REASONS
from stillpoint.vm_snapshots.restore_reasons import RESTORE_REASONS

DOCS = Path(__file__).parents[1] / "docs"
TABLE = re.compile(
    r"^<!-- made by make docs: (\S+) -->$.*?^<!-- end -->$", re.MULTILINE | re.DOTALL
)

Row = Iterable[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if need be")
    parser.add_argument("docs", nargs="?", type=Path, default=DOCS)
    given = parser.parse_args()
    pages = {page: page.read_text() for page in sorted(given.docs.rglob("*.md"))}
    placed = {name for text in pages.values() for name in TABLE.findall(text)}
    if placed != TABLES.keys():
        sys.stderr.write(f"on a page or in TABLES, not in both: {placed ^ TABLES.keys()}\n")
        return 1
    made = {page: TABLE.sub(lambda found: table(found[1]), text) for page, text in pages.items()}
    stale = [page for page, text in pages.items() if made[page] != text]
    for page in stale:
        if given.check:
            sys.stderr.write(f"{page}: a table is not what the code says; HINT: make docs\n")
        else:
            page.write_text(made[page])
    return int(given.check and bool(stale))


def table(name: str) -> str:
    """One table between its lines."""
    heading, *rows = map(list, TABLES[name]())
    lines = [heading, ["---"] * len(heading), *rows]
    body = "\n".join(f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in row)}|" for row in lines)
    return f"<!-- made by make docs: {name} -->\n\n{body}\n\n<!-- end -->"


def reasons() -> Iterator[Row]:
    yield "code", "weight", "level", "what it says"
    for one in (*REASONS, UNREADABLE):
        sentence = one.sentence.replace(": {about}", "").replace("{about}", "…")
        yield f"`{one.code}`", one.weight, f"`{one.level}`" if one.level else "", sentence


def arrival_reasons() -> Iterator[Row]:
    yield "code", "weight", "what it says"
    for one in (*ARRIVAL_REASONS, UNREADABLE):
        sentence = one.sentence.replace(": {about}", "").replace("{about}", "…")
        yield f"`{one.code}`", one.weight, sentence


def findings() -> Iterator[Row]:
    yield "code", "weight", "what it says", "why that matters", "remedy"
    for area, row in registry.rows():
        if row is area.rows[0]:
            yield f"**{area.title}**", "", "", "", ""
        cells = (row.sentence, row.cause, row.general_remedy)
        yield f"`{row.code}`", row.weight, *(cell.replace("|", "\\|") for cell in cells)


def actions() -> Iterator[Row]:
    yield "object", "backup", "item block", "restore"
    cells: dict[Selector, dict[Kind, str]] = {}
    for entry in every(catalogue):
        cells.setdefault(entry.action.APPLIES_TO, {})[entry.kind] = does(entry)
    for selector, by_kind in cells.items():
        said = (by_kind.get(kind, "") for kind in (Kind.BACKUP, Kind.ITEM_BLOCK, Kind.RESTORE))
        yield objects(selector), *said


def does(entry: Entry) -> str:
    """`DOES` of the action's module: an action without it has no row, and fails here."""
    if isinstance(entry, ItemBlockEntry):
        return str(sys.modules[entry.action.related_items.__module__].DOES)
    return str(sys.modules[entry.action.execute.__module__].DOES)


def objects(selector: Selector) -> str:
    """The kinds that an action is called for; where not for each of them, which."""
    kinds = {"*": "all others"} | {served.name: served.kind for served in KNOWN}
    if unknown := [name for name in selector.resources if name not in kinds]:
        sys.exit(f"{', '.join(unknown)}: no such resource; HINT: see model/api_resources.py")
    names = ", ".join(kinds[name] for name in selector.resources)
    return f"{names} with `{selector.labels}`" if selector.labels else names


def verbs() -> Iterator[Row]:
    yield "verb", "what for"
    for one in VERBS:
        yield f"`{one.NAME}`", one.HELP
        for each in getattr(one, "SUB_VERBS", ()):
            yield f"`{one.NAME} {each.NAME}`", each.HELP


def report_problems() -> Iterator[Row]:
    yield "code", "weight", "about", "what it says"
    for one in (*problems.ROWS, problems.UNREADABLE):
        about = "restore" if one.is_of_restore else "level"
        yield f"`{one.code}`", one.weight, about, _without_subjects(one.sentence)
    for whole in of_backup.ROWS:
        yield f"`{whole.code}`", whole.weight, "backup", _without_subjects(whole.sentence)


def _without_subjects(sentence: str) -> str:
    return sentence.replace(": {about}", "").replace("{about}", "…")


def snapshot_reasons() -> Iterator[Row]:
    yield "code", "effect", "what it says"
    for one in SNAPSHOT_REASONS:
        sentence = one.sentence.replace(": {about}", "").replace("{about}", "…")
        yield f"`{one.code}`", one.effect, sentence


def restore_reasons() -> Iterator[Row]:
    yield "code", "effect", "what it says"
    for one in RESTORE_REASONS:
        sentence = one.sentence.replace(": {about}", "").replace("{target}", "the target")
        yield f"`{one.code}`", one.effect, sentence


def evidence_rules() -> Iterator[Row]:
    yield "rule", "level", "what it says", "what has to hold"
    for row in ROWS:
        has = (" or ".join(f"`{one.code}`" for one in either) for either in row.alternatives)
        yield f"`{row.code}`", f"`{row.level}`", row.says, ", ".join(has)


def evidence_conditions() -> Iterator[Row]:
    yield "code", "as a proof", "as missing"
    for one in dict.fromkeys(one for row in ROWS for either in row.alternatives for one in either):
        proof, lack = (re.sub(r"\{\w+\}", "…", text) for text in (one.proof, one.lack))
        yield f"`{one.code}`", proof, lack


def exit_statuses() -> Iterator[Row]:
    yield "exit status", "meaning"
    for one in ExitStatus:
        yield f"{one:d}", one.meaning


TABLES: dict[str, Callable[[], Iterable[Row]]] = {
    "reasons": reasons,  # rehearsal/verdict/reasons.py
    "arrival-reasons": arrival_reasons,  # rehearsal/verdict/arrival_reasons.py
    "findings": findings,  # check/areas
    "actions": actions,  # `DOES` of each module that catalogue.py names
    "verbs": verbs,  # `HELP` of each module of cli/verbs
    "report-problems": report_problems,  # report/problems.py and report/of_backup.py
    "snapshot-reasons": snapshot_reasons,  # vm_snapshots/reasons.py
    "restore-reasons": restore_reasons,  # vm_snapshots/restore_reasons.py
    "evidence-rules": evidence_rules,  # evidence/rules.py
    "evidence-conditions": evidence_conditions,  # evidence/conditions.py
    "exit-statuses": exit_statuses,  # cli/exit_status.py
}


if __name__ == "__main__":
    sys.exit(main())
