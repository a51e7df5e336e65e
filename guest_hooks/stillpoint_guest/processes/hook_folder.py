"""Folders of executables, each of which is run, in the order of their names."""

import os
from typing import Sequence

from stillpoint_guest.errors import ConfigurationError

_IGNORED_ENDINGS = (
    "~",
    ".bak",
    ".sample",
    ".rpmsave",
    ".rpmnew",
    ".rpmorig",
    ".dpkg-old",
    ".dpkg-dist",
)


def executables(folder: str) -> Sequence[str]:
    """Executable files that are no leftovers, chosen as by QEMU's sample hook.

    Raises:
        ConfigurationError: the folder cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        cause = error.strerror or str(error)
        hint = "make the folder, or name the right one"
        raise ConfigurationError(folder, "look for scripts", cause, hint) from error
    paths = [os.path.join(folder, name) for name in names if not name.endswith(_IGNORED_ENDINGS)]
    return [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]
