"""What the payload's launcher runs: the plugin for Velero, the command for people."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from types import ModuleType

FOLDER = sys.path[0]
FILES = frozenset(os.listdir(FOLDER))


class OfFrozenPackages:
    """Finds the modules of packages that are in the executable and have no folder of their own.

    The extension module `grpc._cython.cygrpc` is in the flat file of that name: Velero looks at
    each file when it starts. Those that not every start needs are in the archive.
    """

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG004 - `importlib.abc.MetaPathFinder` says so
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if path is None:
            return None
        if f"{name}.so" in FILES:
            file = f"{FOLDER}/{name}.so"
            return spec_from_file_location(name, file, loader=ExtensionFileLoader(name, file))
        package = name.rpartition(".")[0].replace(".", "/")
        return PathFinder.find_spec(name, [f"{FOLDER}/modules.zip/{package}"])


def main() -> int:
    """Run what this process was started for.

    Returns:
        The exit status.
    """
    sys.meta_path.append(OfFrozenPackages)
    sys.frozen = True  # type: ignore[attr-defined] # as all that make one executable say it
    from stillpoint.wire import handshake

    if handshake.is_started_by_velero(os.environ) or len(sys.argv) == 1:
        from stillpoint.__main__ import main as program
    else:
        from stillpoint.cli import main as program
    return program()
