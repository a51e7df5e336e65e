"""`stillpoint render schedule`."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.names import name_of_object
from stillpoint.cli.verbs.render import result, values
from stillpoint.model.names import LONGEST_LABEL_VALUE
from stillpoint.rendering.schedule import LEVELS

NAME = "schedule"
HELP = "a Schedule for the machines of some namespaces"
EXAMPLES = ""

_LONGEST_NAME = LONGEST_LABEL_VALUE
"""A Backup has the name of its Schedule as a label, besides that with the time as its own."""

_ALL = "*"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "openshift-adp", "nightly", longest=_LONGEST_NAME)
    parser.add_argument(
        "--take",
        dest="namespaces",
        metavar="NAMESPACE",
        type=values.namespaces,
        action="append",
        required=True,
        help="machines of this namespace; may be given more than once",
    )
    parser.add_argument(
        "--cron", type=values.cron_time, default="0 1 * * *", help="default: 0 1 * * *"
    )
    parser.add_argument(
        "--ttl",
        type=values.span,
        default="720h",
        help="how long a backup is kept (default: 720h)",
    )
    parser.add_argument(
        "--policy",
        metavar="NAME",
        type=name_of_object,
        default="",
        help="ConfigMap with resource policies",
    )
    parser.add_argument(
        "--require",
        metavar="LEVEL",
        choices=LEVELS,
        default="",
        help="how consistent each machine's disks have to be: application, filesystem or crash",
    )
    parser.add_argument(
        "--no-move-data", action="store_true", help="snapshots stay in the storage of the cluster"
    )


def run(arguments: argparse.Namespace) -> ExitStatus:
    """See `Verb`."""
    from stillpoint.rendering import schedule  # noqa: PLC0415

    if _ALL in arguments.namespaces and len(arguments.namespaces) > 1:
        arguments.sub_parser.error(f"argument --take: {_ALL!r} takes all, and no other beside it")
    answers = schedule.Answers(
        arguments.namespace,
        arguments.name,
        arguments.namespaces,
        arguments.cron,
        arguments.ttl,
        not arguments.no_move_data,
        arguments.policy,
        arguments.require,
    )
    return result.write(schedule.manifest(answers), is_checked=arguments.check)
