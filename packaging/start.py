"""What the payload's launcher runs: the plugin for Velero, the command for people."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType

FOLDER = sys.path[0]
FILES = frozenset(os.listdir(FOLDER))


class ExtensionsOfPackages:
    """Finds the extension module `grpc._cython.cygrpc` in the flat file of that name.

    A package in a zip has no folder for it. All lie in one: Velero looks at each when it starts.
    """

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG004 - `importlib.abc.MetaPathFinder` says so
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if path is None or f"{name}.so" not in FILES:
            return None
        file = f"{FOLDER}/{name}.so"
        return spec_from_file_location(name, file, loader=ExtensionFileLoader(name, file))


def main() -> int:
    """Run what this process was started for.

    Returns:
        The exit status.
    """
    sys.meta_path.insert(0, ExtensionsOfPackages)
    sys.frozen = True  # type: ignore[attr-defined] # as all that make one executable say it
    from plugin.wire import handshake

    if handshake.is_started_by_velero(os.environ) or len(sys.argv) == 1:
        from plugin.__main__ import main as program
    else:
        from plugin.cli import main as program
    return program()
