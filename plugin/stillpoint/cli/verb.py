"""A verb of the command, or below another verb, and its parser."""

import argparse
from typing import Protocol


class Verb(Protocol):
    """A module of `verbs`."""

    NAME: str
    HELP: str
    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Carries the verb out.

        Args:
            arguments: as parsed; `parser` is the parser of the whole command.

        Returns:
            The exit status.

        Raises:
            StillpointError: the verb cannot be carried out; `main` reports it.
        """


def add_parser(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", verb: Verb
) -> argparse.ArgumentParser:
    """Adds the verb's parser, with its options, to those of `add_subparsers`."""
    added = verbs.add_parser(
        verb.NAME,
        help=verb.HELP,
        description=verb.HELP,
        epilog=verb.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_arguments(added)
    return added
