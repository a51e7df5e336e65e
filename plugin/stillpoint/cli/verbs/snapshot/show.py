"""`stillpoint snapshot show`."""

import argparse
from datetime import UTC, datetime

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place

NAME = "show"
HELP = "one snapshot with its disks, its indications and its errors"
EXAMPLES = """\
examples:
  stillpoint snapshot show db-20260101-120000
  stillpoint snapshot show shop/before-upgrade --output json

exit status: 0 it is ready, 1 it has failed, 2 wrong usage, 3 it is not ready yet, or not known
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "snapshot", metavar="SNAPSHOT", type=place.one_name, help="NAME or NAMESPACE/NAME"
    )
    place.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import document, snapshots  # noqa: PLC0415
    from stillpoint.vm_snapshots import waiting  # noqa: PLC0415
    from stillpoint.vm_snapshots.state import Standing  # noqa: PLC0415

    cluster = place.connect(arguments)
    [wanted] = place.identities([arguments.snapshot], arguments)
    found = waiting.state(cluster, *wanted)
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(document.text([found]).encode())
        else:
            snapshots.write_one(found, datetime.now(UTC), terminal.console(output))
    statuses = {Standing.READY: ExitStatus.GOOD, Standing.FAILED: ExitStatus.NOT_SAFE}
    return statuses.get(found.standing, ExitStatus.CANNOT_TELL)
