"""`stillpoint snapshot prune`."""

import argparse
import functools
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from stillpoint.cli import times
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place, removals

if TYPE_CHECKING:
    from stillpoint.model.reader import Reader
    from stillpoint.vm_snapshots.removal import Judged, Rule

NAME = "prune"
HELP = "delete old and failed snapshots, never the last good one of a machine; only says it first"
EXAMPLES = """\
examples:
  stillpoint snapshot prune --keep 3                     says what would go, deletes nothing
  stillpoint snapshot prune --keep 3 --delete            of each machine the newest three stay
  stillpoint snapshot prune db --older-than 720h --delete --yes --wait
  stillpoint snapshot prune -A --keep 1 --older-than 24h

Failed ones go first. With --keep and --older-than both must hold. What is under way, used by a
restore, or of unknown age or standing stays.

exit status: 0 said or deleted, 1 changed since the question, 2 wrong usage, 3 not gone in time, no
answer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument("machines", metavar="VM", nargs="*", help="of these machines only")
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="of every namespace of the cluster"
    )
    parser.add_argument(
        "--keep", metavar="N", type=_count, help="of each machine, so many of the newest stay"
    )
    parser.add_argument(
        "--older-than", metavar="TIME", type=times.seconds, help="younger ones stay; 24h, 90m"
    )
    parser.add_argument("--delete", action="store_true", help="do it; without, it only says so")
    removals.add_arguments(parser)
    place.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import removals as output_of  # noqa: PLC0415

    if arguments.keep is None and arguments.older_than is None:
        arguments.sub_parser.error("say what may go: --keep N, --older-than TIME, or both")
    cluster = place.connect(arguments)
    namespace = "" if arguments.all_namespaces else place.namespace(arguments)
    look = functools.partial(_judged, cluster, namespace, arguments)
    found = look()
    if arguments.delete and any(one.goes for one in found):
        return removals.remove_and_write(cluster, found, look, arguments)
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(output_of.text(found).encode())
        else:
            output_of.write_intention(found, terminal.console(output))
    if not arguments.delete and any(one.goes for one in found):
        said = terminal.console(sys.stderr)
        terminal.write_line(said, "Nothing was deleted; --delete does it.")
    return ExitStatus.GOOD


def _judged(cluster: "Reader", namespace: str, arguments: argparse.Namespace) -> "Sequence[Judged]":
    from stillpoint.resources.vm_snapshots import (  # noqa: PLC0415
        virtual_machine_restore,
        virtual_machine_snapshot,
    )
    from stillpoint.vm_snapshots import removal, waiting  # noqa: PLC0415

    states = [
        one
        for one in waiting.states(cluster, namespace)
        if not arguments.machines
        or virtual_machine_snapshot.machine(one.item) in arguments.machines
    ]
    in_use = removal.used(cluster.list(virtual_machine_restore.RESOURCE, namespace))
    return removal.judged(states, in_use, _rule(arguments), datetime.now(UTC))


def _rule(arguments: argparse.Namespace) -> "Rule":
    from stillpoint.vm_snapshots import removal  # noqa: PLC0415

    is_by_age = arguments.older_than is not None
    older_than = timedelta(seconds=arguments.older_than) if is_by_age else None
    return removal.Rule(arguments.keep, older_than)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of snapshots")
    return int(text)
