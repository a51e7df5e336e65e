"""Packs the agent into an executable file: `python -m stillpoint_guest.build FILE`.

Two lines for the shell, which start Python with the file itself as the place of its modules, and
the archive of these. The same sources make the same bytes, on every machine and at every time.
Stored, not compressed: a hook that starts while a guest waits has no time for inflating.
"""

import argparse
import os
import stat
import sys
import zipfile
from typing import Iterator, Sequence, Tuple

from stillpoint_guest.hook.holder_start import ENTRY, OPTIONS

INTERPRETER = "/usr/bin/python3"
_START = f'#!/bin/sh\nexec {{}} {OPTIONS} \'{ENTRY}\' "$0" "$@"\n'
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip file can say
_MAIN = (
    b"import sys\n\nfrom stillpoint_guest.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
)


def build(target: str, interpreter: str = INTERPRETER) -> None:
    """Writes the executable file."""
    with open(target, "wb") as file:
        file.write(_START.format(interpreter).encode())
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(_sources()):
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.create_system = 3  # Unix, wherever it is built
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(entry, content)
    os.chmod(target, 0o755)  # noqa: S103  a program is for everybody


def _sources() -> Iterator[Tuple[str, bytes]]:
    yield "__main__.py", _MAIN
    package = os.path.dirname(os.path.abspath(__file__))
    for folder, _, names in os.walk(package):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".py") and path != os.path.abspath(__file__):
                with open(path, "rb") as file:
                    yield os.path.relpath(path, os.path.dirname(package)), file.read()


def main(arguments: Sequence[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser("python -m stillpoint_guest.build", description=__doc__)
    parser.add_argument("target", metavar="FILE")
    parser.add_argument("--interpreter", default=INTERPRETER, help="default: %(default)s")
    given = parser.parse_args(arguments)
    build(given.target, given.interpreter)


if __name__ == "__main__":
    main(sys.argv[1:])
