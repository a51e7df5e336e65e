"""`stillpoint render`: manifests of an installation on standard output; a module each."""

import argparse

from stillpoint.cli.verb import add_parser
from stillpoint.cli.verbs.render import dpa, policy, rbac, schedule, velero, verify

NAME = "render"
HELP = "manifests of an installation, with the reason of each choice, on standard output"
EXAMPLES = """\
examples:
  stillpoint render dpa --image IMAGE --provider gcp --bucket backups --prefix prod --check
  stillpoint render velero --image IMAGE --provider gcp --bucket backups --prefix prod
  stillpoint render policy -n openshift-adp | oc apply -f -
  stillpoint render schedule -n openshift-adp --take shop --take web
  stillpoint render rbac -n velero
  stillpoint render verify -n openshift-adp --image IMAGE --schedule nightly

exit status: 0 written, 1 written, and by --check something blocks, 2 wrong usage, 3 not written
"""

SUB_VERBS = (dpa, velero, policy, schedule, rbac, verify)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    sub_verbs = parser.add_subparsers(title="manifests", metavar="MANIFEST", required=True)
    for verb in SUB_VERBS:
        one = add_parser(sub_verbs, verb)
        one.set_defaults(sub_verb=verb, sub_parser=one)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    return int(arguments.sub_verb.run(arguments))
