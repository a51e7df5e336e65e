"""`stillpoint render schedule`."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.render import result
from stillpoint.rendering.schedule import LEVELS

NAME = "schedule"
HELP = "a Schedule for the machines of some namespaces"
EXAMPLES = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "openshift-adp", "nightly")
    parser.add_argument(
        "--take",
        dest="namespaces",
        metavar="NAMESPACE",
        action="append",
        required=True,
        help="machines of this namespace; may be given more than once",
    )
    parser.add_argument("--cron", default="0 1 * * *", help="default: 0 1 * * *")
    parser.add_argument("--ttl", default="720h", help="how long a backup is kept (default: 720h)")
    parser.add_argument(
        "--policy", metavar="NAME", default="", help="ConfigMap with resource policies"
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
