"""`stillpoint snapshot`: KubeVirt's own snapshots of machines; a module each for its verbs."""

import argparse

from stillpoint.cli.verb import add_parser
from stillpoint.cli.verbs.snapshot import clone, create, delete, listing, prune, restore, show, wait

NAME = "snapshot"
HELP = "KubeVirt's own snapshots of virtual machines: make, look at, restore, clone, delete"
EXAMPLES = """\
examples:
  stillpoint snapshot create db --wait             of a machine, and how consistent it is
  stillpoint snapshot list -n shop                 what there is
  stillpoint snapshot show db-20260101-120000      one with its disks and indications
  stillpoint snapshot wait db-20260101-120000      until it is ready, or why it never will be
  stillpoint snapshot restore db-20260101-120000   the machine as it was
"""

SUB_VERBS = (create, listing, show, wait, restore, clone, delete, prune)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    sub_verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in SUB_VERBS:
        one = add_parser(sub_verbs, verb)
        one.set_defaults(sub_verb=verb, sub_parser=one)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    return int(arguments.sub_verb.run(arguments))
