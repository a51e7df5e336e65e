"""`stillpoint report`: what a finished backup holds of each machine, and what shows it."""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stillpoint import garbage
from stillpoint.cli import backup_source
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.model.errors import StillpointError

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.report.model import Report

NAME = "report"
HELP = "what a finished backup holds of each machine, how consistent it is, would it come back"
EXAMPLES = """\
examples:
  stillpoint report nightly                            a backup of the cluster, by its Velero
  stillpoint report nightly --explain shop/db          one machine, its time line and every proof
  stillpoint report --from bucket/                     every backup of an object store
  stillpoint report --from bucket/ nightly             one of them
  velero backup download nightly && oc get backups.velero.io nightly -n velero -o json > backup.json
  stillpoint report --from nightly-data.tar.gz --backup backup.json
  stillpoint report nightly -o html > nightly.html     a page for an auditor
  stillpoint report nightly -o json | jq '.reports[].machines[] | select(.verdict != "good")'

exit status: 0 every machine is as demanded, or as to be expected, and could be restored, 1 one is
not, 2 wrong usage, 3 something that decides is not known, or a backup could not be read
"""

_OUTPUTS = ("table", "json", "junit", "csv", "html", "openmetrics")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "names", metavar="BACKUP", nargs="*", help="these backups alone (all that are there)"
    )
    backup_source.add_arguments(parser)
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", choices=_OUTPUTS, default="table", help="default: table")
    output.add_argument(
        "--explain",
        metavar="VM",
        help="one machine (NAME or NAMESPACE/NAME) with its time line and every proof",
    )


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli import several_backups  # noqa: PLC0415

    garbage.collect_less()
    reports, unread = several_backups.read(arguments, with_log=True)
    if not reports:
        return ExitStatus.CANNOT_TELL
    with standard_output.flushed() as output:
        if arguments.explain:
            from stillpoint.cli.output import terminal  # noqa: PLC0415
            from stillpoint.cli.output.backup_report import explanation  # noqa: PLC0415

            explanation.write(reports, arguments.explain, terminal.console(output))
        elif arguments.output == "table":
            from stillpoint.cli.output import terminal  # noqa: PLC0415
            from stillpoint.cli.output.backup_report import table  # noqa: PLC0415

            table.write(reports, terminal.console(output))
        else:
            for part in _parts(arguments.output, reports):
                output.buffer.write(part.encode())
    return _status(reports, unread)


def _parts(form: str, reports: Sequence["Report"]) -> Iterable[str]:
    if form == "html":
        return _page(reports)
    from stillpoint.cli.output.backup_report import (  # noqa: PLC0415
        document,
        junit,
        openmetrics,
        rows,
    )

    forms = {
        "json": document.text,
        "junit": junit.text,
        "csv": rows.text,
        "openmetrics": openmetrics.text,
    }
    return (forms[form](reports),)


def _page(reports: Sequence["Report"]) -> Iterable[str]:
    from stillpoint.cli.output.backup_page import page  # noqa: PLC0415

    if len(reports) != 1:
        cause = f"a page is of one backup, and there are {len(reports)}"
        raise StillpointError("report", "cannot make a page", cause, "name one of them")
    return page.parts(reports[0])


def _status(reports: Iterable["Report"], unread: Sequence[str]) -> ExitStatus:
    from stillpoint.report.model import Verdict  # noqa: PLC0415

    verdicts = {report.verdict for report in reports}
    if verdicts & {Verdict.NOT_RESTORABLE, Verdict.BELOW}:
        return ExitStatus.NOT_SAFE
    is_unknown = Verdict.UNKNOWN in verdicts or bool(unread)
    return ExitStatus.CANNOT_TELL if is_unknown else ExitStatus.GOOD
