"""`stillpoint check`: whether an installation is ready to back machines up; nothing is written."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint import garbage
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.paths import add_source
from stillpoint.model.errors import StillpointError
from stillpoint.model.switch import nearest

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.check.case import Case
    from stillpoint.check.finding import Area, Row
    from stillpoint.check.report import Report

NAME = "check"
HELP = "is this installation of Velero or OADP ready to back machines up, and if not, what to do"
EXAMPLES = """\
examples:
  stillpoint check                                     the cluster of KUBECONFIG
  stillpoint check -n openshift-adp                    the Velero of this namespace
  stillpoint check --from must-gather.local.1234/      from `oc adm must-gather` or `oc get -o yaml`
  stillpoint check --explain csi-feature-off           cause, how to see it by hand, remedy
  stillpoint check --output json | jq '.findings[] | select(.weight == "blocks")'

exit status: 0 nothing is in the way, 1 something blocks (with --strict: or degrades), 2 wrong
usage, 3 something that decides is not known
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    source = add_source(parser, "as `oc adm must-gather` or `oc get -o yaml` leave them")
    source.add_argument(
        "-n",
        "--namespace",
        dest="namespaces",
        metavar="NAMESPACE",
        action="append",
        default=[],
        help="of Velero; may be given more than once (looked for by default)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--output", choices=("table", "json", "junit"), default="table", help="default: table"
    )
    output.add_argument("--explain", metavar="CODE", help="one finding with cause and remedy")
    output.add_argument("--strict", action="store_true", help="what degrades is not safe, too")


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.check import report as check  # noqa: PLC0415
    from stillpoint.cli.output import (  # noqa: PLC0415
        check_document,
        check_junit,
        check_report,
        terminal,
    )

    if arguments.explain:
        area, row = _row(arguments.explain)
        with standard_output.flushed() as output:
            check_report.explain(area, row, terminal.console(output))
        return ExitStatus.GOOD
    garbage.collect_less()
    found = check.judge(_read(arguments))
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(check_document.text(found).encode())
        elif arguments.output == "junit":
            output.buffer.write(check_junit.text(found).encode())
        else:
            check_report.write(found, terminal.console(output))
    return _status(found, is_strict=arguments.strict)


def _row(code: str) -> "tuple[Area, Row]":
    from stillpoint.check import registry  # noqa: PLC0415

    by_code = {row.code: (area, row) for area, row in registry.rows()}
    if code in by_code:
        return by_code[code]
    hint = f"{nearest(code, list(by_code))}docs/check.md has all codes"
    raise StillpointError(f"finding {code}", "cannot explain it", "there is no such code", hint)


def _read(arguments: argparse.Namespace) -> "Case":
    from stillpoint.check import folder, sources  # noqa: PLC0415
    from stillpoint.cli.output import terminal  # noqa: PLC0415

    with terminal.progress(terminal.console(sys.stderr)) as progress:
        if arguments.folder:
            return folder.of_folder(arguments.folder, arguments.namespaces, progress)
        # Takes half a second to import, and who reads manifests can do without.
        from stillpoint.cluster.kubernetes_reader import KubernetesReader  # noqa: PLC0415

        reader = KubernetesReader.connect(None, arguments.kubeconfig, arguments.context)
        return sources.of_cluster(reader, arguments.namespaces, datetime.now(UTC), progress)


def _status(found: "Report", *, is_strict: bool) -> ExitStatus:
    from stillpoint.model.weight import Weight  # noqa: PLC0415

    weights = {one.row.weight for one in found.findings}
    if Weight.BLOCKS in weights or (is_strict and Weight.DEGRADES in weights):
        return ExitStatus.NOT_SAFE
    is_open = found.open or found.case.known.unread
    return ExitStatus.CANNOT_TELL if is_open else ExitStatus.GOOD
