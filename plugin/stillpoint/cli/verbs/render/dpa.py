"""`stillpoint render dpa`."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.render import answers, result

NAME = "dpa"
HELP = "the DataProtectionApplication of OADP"
EXAMPLES = """\
examples:
  stillpoint render dpa --provider s3 --s3-url https://store.example.com --region any \\
      --bucket backups --prefix prod --image registry.example.com/stillpoint:1.0
  stillpoint render dpa --provider azure --bucket backups --prefix prod --image IMAGE \\
      --resource-group rg --storage-account backups
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "openshift-adp", "velero")
    answers.add(parser, usual_name="OADP's own")


def run(arguments: argparse.Namespace) -> ExitStatus:
    """See `Verb`."""
    from stillpoint.rendering import dpa  # noqa: PLC0415

    given = dpa.Answers(
        arguments.namespace,
        arguments.name,
        arguments.image,
        answers.location(arguments),
        not arguments.no_move_data,
        dict(arguments.node_selector),
    )
    return result.write(dpa.manifest(given), is_checked=arguments.check)
