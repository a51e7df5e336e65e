"""The command line: one module per verb, one line per verb in `VERBS`."""

import argparse
from typing import Protocol

from stillpoint.cli import completion, install, rehearse, version

_EPILOG = """\
exit status: 0 good, 1 not safe, 2 wrong usage, 3 cannot tell

to begin with: stillpoint rehearse --from examples
  stillpoint rehearse --help has more examples
"""


class Verb(Protocol):
    """What a module of a verb defines."""

    NAME: str
    HELP: str
    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it.

        Returns:
            The exit status.

        Raises:
            StillpointError: it cannot be done; `main` tells the person.
        """


VERBS: tuple[Verb, ...] = (rehearse, install, completion, version)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command; what it parses has the verb's `run`."""
    whole = argparse.ArgumentParser(
        "stillpoint",
        description="Backup and restore of KubeVirt virtual machines that can be trusted.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        one = verbs.add_parser(
            verb.NAME,
            help=verb.HELP,
            description=verb.HELP,
            epilog=verb.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_arguments(one)
        one.set_defaults(run=verb.run)
    return whole
