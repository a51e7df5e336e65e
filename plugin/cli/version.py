"""`stillpoint version`."""

import argparse
import importlib.metadata
import platform
import sys

from plugin.cli.exit_status import ExitStatus

NAME = "version"
HELP = "versions of stillpoint and of what it runs on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`; there are none."""


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - every verb has the same parameter
    """See `Verb`."""
    lines = [
        f"stillpoint {importlib.metadata.version('stillpoint')}",
        f"Python {platform.python_version()}",
        *(f"{name} {importlib.metadata.version(name)}" for name in ("grpcio", "kubernetes")),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return ExitStatus.GOOD
