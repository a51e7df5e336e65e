"""The verbs of the command: a module each, a line each in `VERBS`."""

import argparse
from typing import Protocol

from stillpoint.cli.verbs import check, completion, install, rehearse, render, snapshot, version


class Verb(Protocol):
    """A module of this package."""

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


VERBS: tuple[Verb, ...] = (check, render, rehearse, snapshot, install, completion, version)
