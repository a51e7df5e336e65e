"""`stillpoint render policy`."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.render import result, values

NAME = "policy"
HELP = "resource policies by which the plugin takes the snapshots, all of a machine in one freeze"
EXAMPLES = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "openshift-adp", "stillpoint-snapshots")
    parser.add_argument(
        "--driver",
        dest="drivers",
        metavar="DRIVER",
        type=values.driver,
        action="append",
        default=[],
        help="for disks of this CSI driver only; may be given more than once",
    )
    parser.add_argument(
        "--group",
        action="store_true",
        help="the disks of a guest as one group snapshot, where a driver has a class for groups",
    )


def run(arguments: argparse.Namespace) -> ExitStatus:
    """See `Verb`."""
    from stillpoint.rendering import policy  # noqa: PLC0415

    return result.write(
        policy.manifest(
            arguments.namespace, arguments.name, arguments.drivers, is_grouped=arguments.group
        ),
        is_checked=arguments.check,
    )
