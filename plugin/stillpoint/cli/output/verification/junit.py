"""A verification as JUnit's XML: a case for each machine, and one for what was left behind."""

from collections.abc import Iterator, Mapping

from stillpoint.cli.output.junit_case import case, properties
from stillpoint.cli.output.verification import words
from stillpoint.cli.output.xml_text import attribute
from stillpoint.evidence.verified import Agreement
from stillpoint.verification.model import Result, Run


def text(run: Run) -> str:
    """The document; what was not tried, or is not known, was skipped."""
    cases = [*map(_case, words.ordered(run)), _clearing(run)]
    failures, skipped = (
        sum(f"<{what} " in one for one in cases) for what in ("failure", "skipped")
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f"  <testsuite name={attribute(f'{run.namespace}/{run.backup}')}"
        f' tests="{len(cases)}" failures="{failures}" skipped="{skipped}"'
        f' time="{(run.ended - run.started).total_seconds():.3f}">\n'
        f"{''.join(cases)}  </testsuite>\n</testsuites>\n"
    )


def _case(one: Result) -> str:
    return case(one.namespace, one.name, [*properties(_facts(one)), *_verdict(one)], one.took_s)


def _facts(one: Result) -> Mapping[str, str]:
    return {
        "came back": one.came_back,
        "expected": one.expected,
        "evidence": one.agreement,
        "level": one.level,
        **{
            f"seconds of {step.code}": f"{step.seconds:.3f}"
            for step in one.observed.steps
            if step.seconds is not None
        },
    }


def _verdict(one: Result) -> Iterator[str]:
    verification = one.verification
    if verification.is_good:
        return
    message = attribute("; ".join(words.why(one)))
    if verification.is_bad:
        is_contradicted = one.agreement is Agreement.CONTRADICTED
        kind = attribute("contradicted" if is_contradicted else "did not come back")
        yield f"<failure type={kind} message={message}/>"
    else:
        yield f"<skipped message={message}/>"


def _clearing(run: Run) -> str:
    message = attribute("; ".join(words.left(run)))
    parts = [f'<failure type="left" message={message}/>'] if words.left(run) else []
    return case("verification", "nothing is left behind", parts)
