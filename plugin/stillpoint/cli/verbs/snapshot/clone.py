"""`stillpoint snapshot clone`."""

import argparse
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint.cli import times
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.names import name_of_machine, name_of_object
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place

if TYPE_CHECKING:
    from stillpoint.vm_snapshots.cloning import CloneState, CloneWish

NAME = "clone"
HELP = "make a new machine from a machine, or with --snapshot from a snapshot"
EXAMPLES = """\
examples:
  stillpoint snapshot clone db --to db-copy --wait
  stillpoint snapshot clone --snapshot before-upgrade --to db-copy
  stillpoint snapshot clone db --to db-copy --mac default=02-00-00-00-00-01 --label-filter '!tier'

The new machine is off, and has MAC addresses and a serial number of its own.

exit status: 0 made (with --wait: there), 1 refused or failed, 2 wrong usage,
3 not known: no answer, or not there in time
"""

_TIMEOUT_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "source", metavar="SOURCE", type=place.one_name, help="NAME or NAMESPACE/NAME"
    )
    parser.add_argument("--snapshot", action="store_true", help="SOURCE is a snapshot, not a VM")
    parser.add_argument(
        "--to",
        metavar="VM",
        type=name_of_machine,
        required=True,
        help="name of the new machine",
    )
    parser.add_argument(
        "--name", type=name_of_object, default="", help="of the clone; default: VM-DATE-TIME"
    )
    parser.add_argument(
        "--volume-name-policy",
        dest="volume_names",
        choices=("RandomizeNames", "PrefixTargetName"),
        default="",
        help="names of the new claims; default: RandomizeNames",
    )
    parser.add_argument("--serial", default="", help="serial number of the new guest")
    parser.add_argument(
        "--mac", dest="addresses", metavar="INTERFACE=ADDRESS", action="append", default=[],
        type=_address, help="with dashes; may be given more than once",
    )  # fmt: skip
    parser.add_argument(
        "--label-filter", dest="labels", metavar="FILTER", action="append", default=[],
        help="labels to take over: '*', 'tier*', '!tier'; may be given more than once",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the object, make nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--wait", action="store_true", help="until it is there, or has failed")
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=times.seconds,
        default=_TIMEOUT_S,
        help=f"of --wait: {place.WAIT_HELP}; default: 10m",
    )
    place.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import question, terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import clones  # noqa: PLC0415
    from stillpoint.vm_snapshots import cloning  # noqa: PLC0415

    cluster = place.connect(arguments)
    [(namespace, source)] = place.identities([arguments.source], arguments)
    look = cloning.of_snapshot if arguments.snapshot else cloning.of_machine
    plan = look(cluster, namespace, source, _wish(arguments), datetime.now(UTC))
    clones.write_intention(plan, terminal.console(sys.stderr))
    if arguments.dry_run or plan.obstacles():
        with standard_output.flushed() as output:
            if arguments.output == "json":
                output.buffer.write(clones.text([], [plan]).encode())
            elif arguments.dry_run:
                output.buffer.write(clones.object_text(plan).encode())
        return ExitStatus.NOT_SAFE if plan.obstacles() else ExitStatus.GOOD
    if not arguments.yes and not question.is_agreed(f"Make {arguments.to}?"):
        return ExitStatus.INTERRUPTED
    cloning.KIND.create(cluster, plan.item)
    state = _wait(arguments, (namespace, plan.title.partition("/")[2]))
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(clones.text([state]).encode())
        else:
            clones.write(state, terminal.console(output))
    return _status(state) if arguments.wait else ExitStatus.GOOD


def _wait(arguments: argparse.Namespace, identity: tuple[str, str]) -> "CloneState":
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.model.clock import Clock  # noqa: PLC0415
    from stillpoint.vm_snapshots import cloning  # noqa: PLC0415

    clock = Clock(lambda: datetime.now(UTC), time.sleep)
    longest_s = arguments.timeout if arguments.wait else 0.0
    cluster = place.connect(arguments)
    with terminal.progress(terminal.console(sys.stderr)) as report:
        return cloning.KIND.wait(cluster, identity, longest_s, clock, report)


def _status(state: "CloneState") -> ExitStatus:
    from stillpoint.vm_snapshots.requested import Outcome  # noqa: PLC0415

    statuses = {Outcome.COMPLETE: ExitStatus.GOOD, Outcome.FAILED: ExitStatus.NOT_SAFE}
    return statuses.get(state.outcome, ExitStatus.CANNOT_TELL)


def _wish(arguments: argparse.Namespace) -> "CloneWish":
    from stillpoint.vm_snapshots.cloning import CloneWish  # noqa: PLC0415

    return CloneWish(
        arguments.to,
        arguments.name,
        arguments.volume_names,
        arguments.serial,
        dict(arguments.addresses),
        tuple(arguments.labels),
    )


def _address(text: str) -> tuple[str, str]:
    interface, equals, address = text.partition("=")
    if not (interface and equals and address):
        wanted = "INTERFACE=ADDRESS, for instance default=02-00-00-00-00-01"
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    if ":" in address:
        cause = "KubeVirt's webhook of restores refuses colons; write it with dashes"
        raise argparse.ArgumentTypeError(f"{address!r}: {cause}")
    return interface, address
