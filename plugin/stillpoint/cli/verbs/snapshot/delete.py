"""`stillpoint snapshot delete`."""

import argparse
import sys

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.snapshot import place, removals

NAME = "delete"
HELP = "delete snapshots, and say what stays of them"
EXAMPLES = """\
examples:
  stillpoint snapshot delete before-upgrade --wait
  stillpoint snapshot delete -n shop one two --yes

A snapshot from which a restore goes on, or that a clone has made for itself, is not deleted.

exit status: 0 deleted (with --wait: gone), 1 refused, 2 wrong usage, 3 not gone in time, no answer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "snapshots",
        metavar="SNAPSHOT",
        nargs="+",
        type=place.one_name,
        help="NAME or NAMESPACE/NAME",
    )
    removals.add_arguments(parser)
    place.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.resources.vm_snapshots import virtual_machine_restore  # noqa: PLC0415
    from stillpoint.vm_snapshots import removal, waiting  # noqa: PLC0415
    from stillpoint.vm_snapshots.state import Standing  # noqa: PLC0415

    cluster = place.connect(arguments)
    wanted = place.identities(arguments.snapshots, arguments)
    states = [waiting.state(cluster, *one) for one in wanted]
    in_use = {
        each
        for namespace in dict(wanted)
        for each in removal.used(cluster.list(virtual_machine_restore.RESOURCE, namespace))
    }
    open_ = (Standing.UNDER_WAY, Standing.UNKNOWN)
    refused = {
        one.title: reason
        for one in states
        if (reason := removal.why_not(one, in_use)) and one.standing not in open_
    }
    for title, reason in refused.items():
        terminal.write_line(terminal.console(sys.stderr), f"{title} is not deleted: {reason}")
    if refused:
        return ExitStatus.NOT_SAFE
    found = [removal.Judged(one, goes=True, why="asked for") for one in states]
    return removals.remove_and_write(cluster, found, arguments)
