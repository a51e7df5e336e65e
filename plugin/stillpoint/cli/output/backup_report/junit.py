"""The report on a backup as JUnit's XML: a suite for each backup, a case for each machine."""

from collections.abc import Sequence

from stillpoint.cli.output.backup_report import words
from stillpoint.cli.output.xml_text import attribute
from stillpoint.rehearsal.verdict.reasons import Weight
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
    return _judged(_WHOLE, report.backup.name, verdict(report.problems), report.problems)


def _case(machine: Machine) -> str:
    return _judged(machine.namespace, machine.name, machine.verdict, machine.problems)


def _judged(group: str, name: str, found: Verdict, problems: Sequence[Problem]) -> str:
    start = f"    <testcase classname={attribute(group)} name={attribute(name)}"
    if found is Verdict.GOOD:
        return f"{start}/>\n"
    if found in _FAILED:
        return _with(start, "failure", f" type={attribute(found)}", problems)
    return _with(start, "skipped", "", problems)


def _with(start: str, what: str, kind: str, problems: Sequence[Problem]) -> str:
    said = [one for one in problems if one.weight is not Weight.NOTE]
    message = attribute("; ".join(f"{one.code}: {one.sentence}" for one in said))
    return f"{start}>\n      <{what}{kind} message={message}/>\n    </testcase>\n"
