"""The findings of a check as JUnit's XML: a suite for each area, a case for each finding."""

from stillpoint.check import registry
from stillpoint.check.finding import Area, Finding, Open, Row
from stillpoint.check.report import Report
from stillpoint.cli.output.xml_text import attribute
from stillpoint.model.weight import Weight


def text(found: Report) -> str:
    """The document; what is to be noted is no failure, what is not known was skipped."""
    findings = {one.row.code: one for one in found.findings}
    open_ = {one.row.code: one for one in found.open}
    suites = [
        f'  <testsuite name={attribute(area.title)} tests="{len(area.rows)}"'
        f' failures="{sum(_fails(findings.get(row.code)) for row in area.rows)}">\n'
        + "".join(
            _case(area, row, findings.get(row.code), open_.get(row.code)) for row in area.rows
        )
        + "  </testsuite>\n"
        for area in registry.AREAS
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{"".join(suites)}</testsuites>\n'


def _fails(finding: Finding | None) -> bool:
    return finding is not None and finding.row.weight is not Weight.NOTE


def _case(area: Area, row: Row, finding: Finding | None, open_: Open | None) -> str:
    start = f"    <testcase classname={attribute(area.name)} name={attribute(row.code)}"
    if finding and _fails(finding):
        about = "; ".join(f"{one.about} > {one.remedy}" for one in finding.subjects)
        message = attribute(f"{row.sentence}: {about}")
        return (
            f'{start}>\n      <failure type="{row.weight}" message={message}/>\n    </testcase>\n'
        )
    if open_:
        message = attribute("; ".join(open_.causes))
        return f"{start}>\n      <skipped message={message}/>\n    </testcase>\n"
    return f"{start}/>\n"
