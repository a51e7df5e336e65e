"""`stillpoint version`."""

import argparse
import platform

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output

NAME = "version"
HELP = "versions of stillpoint, of what it runs on and of what it was tested with"
EXAMPLES = ""

PLUGIN_PROTOCOL = 2
VELERO = "1.18 (tests: 1.18.3; its plugin client also 1.14.0); least: 1.15"
KUBEVIRT = "1.9 and CDI 1.66 (objects as they write them)"
"""The versions that the tests ran with; both are changed together with tests/peers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`; there are none."""


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - every verb has the same parameter
    """See `Verb`."""
    import importlib.metadata  # noqa: PLC0415 - every start of the command imports this module
    import ssl  # noqa: PLC0415

    lines = [
        f"stillpoint {importlib.metadata.version('stillpoint')}",
        f"Python {platform.python_version()}",
        ssl.OPENSSL_VERSION,
        f"plugin protocol {PLUGIN_PROTOCOL} of Velero",
        f"tested with Velero {VELERO}",
        f"tested with KubeVirt {KUBEVIRT}",
        *(f"{name} {importlib.metadata.version(name)}" for name in ("grpcio", "kubernetes")),
    ]
    with standard_output.flushed() as output:
        output.write("\n".join(lines) + "\n")
    return ExitStatus.GOOD
