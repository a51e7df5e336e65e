"""`stillpoint snapshot list`."""

import argparse
from datetime import UTC, datetime

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place

NAME = "list"
HELP = "snapshots of machines: whether they can be restored, how consistent, what they lack"
EXAMPLES = """\
examples:
  stillpoint snapshot list                             of the namespace
  stillpoint snapshot list -A                          of the cluster
  stillpoint snapshot list -n shop db                  of one machine
  stillpoint snapshot list --output json | jq '.snapshots[] | select(.standing == "ready")'

exit status: 0 read, 2 wrong usage, 3 no answer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument("machines", metavar="VM", nargs="*", help="of these machines only")
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="of every namespace of the cluster"
    )
    place.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import document, snapshots  # noqa: PLC0415
    from stillpoint.resources.vm_snapshots import virtual_machine_snapshot  # noqa: PLC0415
    from stillpoint.vm_snapshots import waiting  # noqa: PLC0415

    cluster = place.connect(arguments)
    namespace = "" if arguments.all_namespaces else place.namespace(arguments)
    found = [
        one
        for one in waiting.states(cluster, namespace)
        if not arguments.machines
        or virtual_machine_snapshot.machine(one.item) in arguments.machines
    ]
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(document.text(found).encode())
        else:
            snapshots.write(found, datetime.now(UTC), terminal.console(output))
    return ExitStatus.GOOD
