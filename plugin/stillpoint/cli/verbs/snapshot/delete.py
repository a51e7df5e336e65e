"""`stillpoint snapshot delete`."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.snapshot import place, removals
from stillpoint.model import item as it

if TYPE_CHECKING:
    from stillpoint.vm_snapshots.removal import Judged

NAME = "delete"
HELP = "delete snapshots, and say what stays of them"
EXAMPLES = """\
examples:
  stillpoint snapshot delete before-upgrade --wait
  stillpoint snapshot delete -n shop one two --yes

A snapshot from which a restore goes on, or that a clone has made for itself, is not deleted.

exit status: 0 deleted (with --wait: gone), 1 refused, or changed since the question, 2 wrong usage,
3 not gone in time, no answer
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
    from stillpoint.vm_snapshots import removal, waiting  # noqa: PLC0415

    cluster = place.connect(arguments)
    wanted = place.identities(arguments.snapshots, arguments)
    found = removal.asked_for(cluster, [waiting.state(cluster, *one) for one in wanted])
    if refused := [one for one in found if not one.goes]:
        removals.write_kept(refused)
        return ExitStatus.NOT_SAFE

    def look_again() -> "Sequence[Judged]":
        there = [one for namespace in dict(wanted) for one in waiting.states(cluster, namespace)]
        return removal.asked_for(cluster, [one for one in there if it.identify(one.item) in wanted])

    return removals.remove_and_write(cluster, found, look_again, arguments)
