"""Writes a manifest, and checks it if asked to."""

import argparse
import sys

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.names import name_up_to
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.render import values
from stillpoint.model.names import LONGEST_NAME


def add_place(
    parser: argparse.ArgumentParser, namespace: str, name: str = "", longest: int = LONGEST_NAME
) -> None:
    """Declares the namespace, the name unless what is written has none, and the check."""
    parser.add_argument(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        type=values.namespace,
        default=namespace,
        help=f"of Velero (default: {namespace})",
    )
    if name:
        parser.add_argument(
            "--name",
            type=values.needed(name_up_to(longest)),
            default=name,
            help=f"default: {name}",
        )
    parser.add_argument(
        "--check", action="store_true", help="check what is written, on standard error"
    )


def write(text: str, *, is_checked: bool) -> ExitStatus:
    """Writes the manifest to standard output, and what a check finds in it to standard error.

    What only a cluster says is left out there.
    """
    with standard_output.flushed() as output:
        output.write(text)
    return _check(text) if is_checked else ExitStatus.GOOD


def _check(text: str) -> ExitStatus:
    import yaml  # noqa: PLC0415 - who only writes can do without

    from stillpoint.check import report  # noqa: PLC0415
    from stillpoint.check.case import Case  # noqa: PLC0415
    from stillpoint.cli.output import check_report, terminal  # noqa: PLC0415
    from stillpoint.model.weight import Weight  # noqa: PLC0415
    from stillpoint.rehearsal.sources.known import Known  # noqa: PLC0415

    known = Known.of_manifests(yaml.safe_load_all(text), "what was written")
    found = report.judge(Case(known, {}))
    check_report.write_findings(found, terminal.console(sys.stderr))
    is_blocked = any(one.row.weight is Weight.BLOCKS for one in found.findings)
    return ExitStatus.NOT_SAFE if is_blocked else ExitStatus.GOOD
