"""The report on a backup as JUnit's XML: a suite for each backup, a case for each machine."""

from collections.abc import Iterator, Sequence

from stillpoint.cli.output.backup_report import words
from stillpoint.cli.output.junit_case import case, properties
from stillpoint.cli.output.xml_text import attribute
from stillpoint.model.weight import Weight
from stillpoint.report.model import Machine, Problem, Report, Verdict, verdict

_FAILED = (Verdict.NOT_RESTORABLE, Verdict.BELOW)
_WHOLE = "backup"


def text(reports: Sequence[Report]) -> str:
    """The document; what is not known was skipped."""
    suites = "".join(map(_suite, reports))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{suites}</testsuites>\n'


def _suite(report: Report) -> str:
    cases = [_whole(report), *map(_case, report.machines)]
    failures, skipped = (
        sum(f"<{what} " in one for one in cases) for what in ("failure", "skipped")
    )
    return (
        f"  <testsuite name={attribute(words.title(report.backup))}"
        f' tests="{len(cases)}" failures="{failures}" skipped="{skipped}">\n'
        f"{''.join(cases)}  </testsuite>\n"
    )


def _whole(report: Report) -> str:
    problems = report.problems
    return case(_WHOLE, report.backup.name, list(_verdict(verdict(problems), problems)))


def _case(machine: Machine) -> str:
    found = machine.verification
    facts = {"came back": found.came_back, "evidence": found.agreement} if found else {}
    parts = [*properties(facts), *_verdict(machine.verdict, machine.problems)]
    return case(machine.namespace, machine.name, parts)


def _verdict(found: Verdict, problems: Sequence[Problem]) -> Iterator[str]:
    said = [one for one in problems if one.weight is not Weight.NOTE]
    message = attribute("; ".join(f"{one.code}: {one.sentence}" for one in said))
    if found in _FAILED:
        yield f"<failure type={attribute(found)} message={message}/>"
    elif found is not Verdict.GOOD:
        yield f"<skipped message={message}/>"
