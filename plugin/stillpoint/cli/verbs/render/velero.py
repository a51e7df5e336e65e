"""`stillpoint render velero`."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.render import answers, result, values

NAME = "velero"
HELP = "Velero itself, where no operator installs it"
EXAMPLES = """\
examples:
  stillpoint render velero --provider aws --region eu-west-1 --bucket backups --prefix prod \\
      --image registry.example.com/stillpoint:1.0 --check
  stillpoint render velero ... --velero-image registry.example.com/velero:v1.18.3 \\
      --provider-image registry.example.com/velero-plugin-for-aws:v1.14.2
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "velero")
    answers.add(parser, usual_name="cloud-credentials")
    parser.add_argument(
        "--velero-image",
        metavar="IMAGE",
        type=values.image,
        default="",
        help="of Velero 1.18 (default: its own)",
    )
    parser.add_argument(
        "--provider-image",
        metavar="IMAGE",
        type=values.image,
        default="",
        help="of the plugin that speaks to the object store (default: Velero's own)",
    )


def run(arguments: argparse.Namespace) -> ExitStatus:
    """See `Verb`."""
    from stillpoint.rendering import velero  # noqa: PLC0415
    from stillpoint.rendering.velero_answers import Answers  # noqa: PLC0415

    given = Answers(
        arguments.namespace,
        arguments.image,
        answers.location(arguments),
        not arguments.no_move_data,
        dict(arguments.node_selector),
        arguments.velero_image,
        arguments.provider_image,
    )
    return result.write(velero.manifest(given), is_checked=arguments.check)
