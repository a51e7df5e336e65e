"""The command line, put together of the verbs."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verb import add_parser
from stillpoint.cli.verbs import VERBS

_EPILOG = f"""\
exit status: {", ".join(f"{one:d} {one.meaning}" for one in ExitStatus)}

to begin with: stillpoint rehearse --from examples
  stillpoint rehearse --help has more examples
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command; a result's `run` is the verb's, `parser` this parser."""
    whole = argparse.ArgumentParser(
        "stillpoint",
        description="Backup and restore of KubeVirt virtual machines that can be trusted.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        one = add_parser(verbs, verb)
        one.set_defaults(run=verb.run, parser=whole)
    return whole
