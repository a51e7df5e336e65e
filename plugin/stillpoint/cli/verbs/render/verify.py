"""`stillpoint render verify`."""

import argparse
from collections.abc import Sequence

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.render import result, values

NAME = "verify"
HELP = "verifications of backups in the cluster: a Job or a CronJob, and an account for them"
EXAMPLES = """\
examples:
  stillpoint render verify -n openshift-adp --image IMAGE --schedule nightly | oc apply -f -
  stillpoint render verify -n openshift-adp --image IMAGE --backup nightly-20261127010000
  stillpoint render verify -n openshift-adp --image IMAGE --schedule nightly -- --sample 3
  stillpoint render verify -n openshift-adp --rights
"""

_LONGEST_CRON_JOB = 52
"""Its Jobs have its name, and the time at the end (pkg/apis/batch/validation of Kubernetes)."""

_LONGEST_JOB = 63
"""Of a label, which its pods have with its name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "velero", "stillpoint-verify")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--backup",
        metavar="BACKUP",
        type=values.name,
        help="a Job for this one",
    )
    what.add_argument(
        "--schedule",
        metavar="SCHEDULE",
        type=values.name,
        help="a CronJob for its newest backup",
    )
    what.add_argument("--rights", action="store_true", help="the account with its rights alone")
    parser.add_argument(
        "--image",
        metavar="IMAGE",
        type=values.image,
        default="",
        help="of stillpoint, as you pushed it",
    )
    parser.add_argument(
        "--privileged",
        action="store_true",
        help="also machines of namespaces that admit privileged pods (label of Pod Security)",
    )
    parser.add_argument(
        "--cron", type=values.cron_time_without_zone, default="0 6 * * *", help="default: 0 6 * * *"
    )
    parser.add_argument(
        "options", metavar="OPTION", nargs="*", help="or VM, of `stillpoint verify`: after --"
    )


def run(arguments: argparse.Namespace) -> ExitStatus:
    """See `Verb`."""
    from stillpoint.rendering import verify  # noqa: PLC0415

    if arguments.rights:
        rights = verify.rights(arguments.namespace, is_privileged=arguments.privileged)
        return result.write(rights, is_checked=arguments.check)
    if not arguments.image:
        arguments.sub_parser.error("--image is needed for a Job or a CronJob")
    longest = _LONGEST_CRON_JOB if arguments.schedule else _LONGEST_JOB
    if len(arguments.name) > longest:
        arguments.sub_parser.error(
            f"argument --name: no more than {longest} characters are allowed"
        )
    given = verify.Answers(
        arguments.namespace,
        arguments.name,
        arguments.image,
        backup=arguments.backup or "",
        schedule=arguments.schedule or "",
        cron=arguments.cron,
        options=tuple(arguments.options),
        is_privileged=arguments.privileged,
    )
    _check(given.arguments)
    return result.write(verify.manifest(given), is_checked=arguments.check)


def _check(command: Sequence[str]) -> None:
    """Exits as `stillpoint verify` itself would of options that it does not have, or not so."""
    from stillpoint.cli.verbs import verify  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="stillpoint verify")
    verify.add_arguments(parser)
    verify.check_usage(parser.parse_args(command[1:]))
