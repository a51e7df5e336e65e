"""Who could have written a file: the agent runs as root, so what it reads must be root's alone."""

import os
import stat
from typing import Iterator

from guest_hooks.errors import ConfigurationError, UntrustedFile

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


def require(path: str, is_secret: bool = False) -> None:
    """Go on only if nobody but root can change this file or put another in its place.

    The owner of the running process counts as root, for people who try it as themselves.

    Raises:
        ConfigurationError: it is not there.
        UntrustedFile: it, or a folder on its way, is somebody else's or can be written by others;
            or it is a secret that others can read.
    """
    try:
        for one in _with_parents(os.path.realpath(path)):
            _require_one(path, one)
        mode = os.stat(path).st_mode
    except OSError as error:
        raise ConfigurationError(path, "read it", error.strerror or str(error)) from error
    if is_secret and mode & _OTHERS_READ:
        raise UntrustedFile(path, "read a secret", "others can read it too", f"chmod 600 {path}")


def _with_parents(path: str) -> Iterator[str]:
    yield path
    while path != "/":
        path = os.path.dirname(path)
        yield path


def _require_one(asked: str, path: str) -> None:
    status = os.stat(path)
    if status.st_uid not in (0, os.geteuid()):
        cause = f"{path} belongs to user {status.st_uid}"
        raise UntrustedFile(asked, "trust it", cause, f"chown root: {path}")
    is_shared_folder = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & _OTHERS_WRITE and not is_shared_folder:
        cause = f"{path} can be written by others than its owner"
        raise UntrustedFile(asked, "trust it", cause, f"chmod go-w {path}")
