"""`stillpoint snapshot wait`."""

import argparse

from stillpoint.cli import times
from stillpoint.cli.verbs.snapshot import place, waits

NAME = "wait"
HELP = "wait until snapshots are ready, or tell why they will not be"
EXAMPLES = """\
examples:
  stillpoint snapshot wait db-20260101-120000
  stillpoint snapshot wait -n shop before-upgrade --timeout 30s

exit status: 0 all are ready, 1 one has failed or is gone, 2 wrong usage, 3 not ready in time
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
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=times.seconds,
        default=330.0,
        help=f"{place.WAIT_HELP}; default: 5m30s, a little longer than KubeVirt's own deadline",
    )
    place.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    cluster = place.connect(arguments)
    wanted = place.identities(arguments.snapshots, arguments)
    return waits.wait_and_write(cluster, wanted, arguments.timeout, arguments)
