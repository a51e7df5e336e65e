"""`stillpoint render rbac`."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.render import result, values

NAME = "rbac"
HELP = "rights for a Velero that is not cluster-admin"
EXAMPLES = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "velero")
    parser.add_argument(
        "--account",
        type=values.name,
        default="velero",
        help="Velero's service account (default: velero)",
    )


def run(arguments: argparse.Namespace) -> ExitStatus:
    """See `Verb`."""
    from stillpoint.rendering import rbac  # noqa: PLC0415

    return result.write(
        rbac.manifest(arguments.namespace, arguments.account), is_checked=arguments.check
    )
