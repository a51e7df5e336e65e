"""`stillpoint coverage`: machines of the cluster that no good backup holds."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from stillpoint import garbage
from stillpoint.cli import backup_source, times
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.model.level import Level

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.report.history import Coverage, LiveMachine

NAME = "coverage"
HELP = "machines of the cluster without a backup that is new enough, consistent enough, restorable"
EXAMPLES = """\
examples:
  stillpoint coverage                                   in the last 24 hours, filesystem
  stillpoint coverage --within 168h --level application in the last week, applications at rest
  stillpoint coverage --machines-in shop                the machines of a namespace
  stillpoint coverage --from bucket/                    machines of the cluster, backups in files

exit status: 0 every machine has one, 1 one has none, 2 wrong usage, 3 one has none among the
backups that could be read, and some could not; or there are no machines
"""

_LEVELS = (Level.APPLICATION, Level.FILESYSTEM, Level.CRASH)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "--within",
        metavar="TIME",
        type=times.seconds,
        default=86_400.0,
        help="the most time since the backup began, such as 24h or 90m (default: 24h)",
    )
    parser.add_argument(
        "--level",
        choices=_LEVELS,
        type=Level,
        default=Level.FILESYSTEM,
        help="the least level (default: filesystem); stopped machines reach any",
    )
    parser.add_argument(
        "--machines-in",
        metavar="NAMESPACE",
        action="append",
        default=[],
        help="of the machines; may be given more than once (all by default)",
    )
    backup_source.add_arguments(parser)
    parser.set_defaults(names=[])
    parser.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="default: table"
    )


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli import several_backups  # noqa: PLC0415
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.cli.output.backup_history import document, tables  # noqa: PLC0415
    from stillpoint.report import history  # noqa: PLC0415

    garbage.collect_less()
    now = datetime.now(UTC)
    within = timedelta(seconds=arguments.within)
    since = history.oldest(now, within)
    machines, empty = _machines(arguments)
    reports, unread = several_backups.read(arguments, since)
    demand = history.Demand(arguments.level, since, now)
    covered = history.coverage(machines, history.copies(reports), demand)
    with standard_output.flushed() as output:
        if arguments.output == "json":
            written = document.coverage_text(covered, arguments.level, since, unread)
            output.buffer.write(written.encode())
        else:
            shown = (arguments.level, within)
            tables.write_coverage(covered, *shown, now, terminal.console(output))
    for place in empty:
        terminal.write_line(terminal.console(sys.stderr), f"{place} has no virtual machine")
    return _status(covered, unread, empty)


def _machines(arguments: argparse.Namespace) -> "tuple[Sequence[LiveMachine], Sequence[str]]":
    """The machines, and the places that have none: a name may be mistyped."""
    from stillpoint.cluster.kubernetes_reader import KubernetesReader  # noqa: PLC0415
    from stillpoint.report.history import LiveMachine  # noqa: PLC0415
    from stillpoint.resources.machines import virtual_machine  # noqa: PLC0415

    reader = KubernetesReader.connect(None, arguments.kubeconfig, arguments.context)
    found = {
        namespace: reader.list(virtual_machine.RESOURCE, namespace)
        for namespace in dict.fromkeys(arguments.machines_in or [""])
    }
    machines = [LiveMachine.read(one) for listed in found.values() for one in listed]
    empty = [f"namespace {one}" if one else "the cluster" for one in found if not found[one]]
    return machines, empty


def _status(
    covered: "Sequence[Coverage]", unread: Sequence[str], empty: Sequence[str]
) -> ExitStatus:
    if all(one.good for one in covered):
        return ExitStatus.CANNOT_TELL if empty else ExitStatus.GOOD
    return ExitStatus.CANNOT_TELL if unread else ExitStatus.NOT_SAFE
