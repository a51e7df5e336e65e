"""The folder of the plugin's socket, which this user and root alone can enter.

Velero's own plugins, in Go, are reachable by their user and by root, and so is this one. It is the
kernel that asks who connects: connect(2) wants the right to search the folder and to write the
socket, of the process that connects. gRPC cannot ask a second time: it has no peer credentials,
its credentials of local sockets look at none, and its Python package takes no connection that was
accepted elsewhere (1.85). A proxy for every byte would cost more than the call.

A folder is locked as long as its process lives, so that the next process recognizes what a killed
process has left.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator

from stillpoint.model.errors import NoPlace

_PREFIX = "stillpoint-plugin-"
_SOCKET = "socket"
_LONGEST_PATH_BYTES = 107  # sun_path of sockaddr_un, less the zero at its end
_PLACES = ("/tmp", "/dev/shm", "/var/tmp", "/run")  # noqa: S108 - each is looked at first


class SocketFolder:
    """A folder of mode 0700 with one socket inside.

    Args:
        place: the parent folder.

    Raises:
        OSError: the folder cannot be made there, or others could enter.
    """

    def __init__(self, place: str) -> None:
        # As `secrets` makes it, without what that imports: a twentieth of start-up.
        self._path = os.path.join(place, f"{_PREFIX}{os.urandom(4).hex()}")  # noqa: PTH118
        if len(os.fsencode(self.address)) > _LONGEST_PATH_BYTES:
            raise OSError("its path is too long for a socket")
        os.mkdir(self._path, 0o700)  # noqa: PTH102 - pathlib is a fortieth of the start
        try:
            self._descriptor = _enter(self._path)
        except OSError:
            self._remove()
            raise

    @property
    def address(self) -> str:
        """Path of the socket."""
        return f"{self._path}/{_SOCKET}"

    def close(self) -> None:
        """Removes the folder with its content."""
        self._remove()
        os.close(self._descriptor)

    def remove_leftovers(self) -> None:
        """Removes what processes that were killed have left beside this folder."""
        place = os.path.dirname(self._path)  # noqa: PTH120
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX) and entry.path != self._path:
                    _remove_if_dead(entry.path)

    def _remove(self) -> None:
        _remove(self._path)


def listen(bind: Callable[[str], object]) -> SocketFolder:
    """The first folder in which `bind` can make a socket, given its path.

    A place that strangers can rename things in is taken only if there is no other: with a socket
    of theirs under the same name they would be given what is meant for us.

    Raises:
        NoPlace: there is none.
    """
    refused: dict[str, str] = {}
    before = os.umask(0o077)
    try:
        for place in _places():
            try:
                return _bind(place, bind)
            except (OSError, RuntimeError) as error:  # gRPC's, for a file system without sockets
                refused[place] = getattr(error, "strerror", "") or str(error)
    finally:
        os.umask(before)
    raise NoPlace(
        "socket of the plugin", "cannot make a folder for it",
        "; ".join(f"{place}: {cause}" for place, cause in refused.items()),
        "give Velero's pod an emptyDir at /tmp, or set TMPDIR",
    )  # fmt: skip


def _bind(place: str, bind: Callable[[str], object]) -> SocketFolder:
    folder = SocketFolder(place)
    try:
        bind(folder.address)
    except (OSError, RuntimeError):
        folder.close()
        raise
    return folder


def _places() -> Iterator[str]:
    here = (os.environ.get("TMPDIR", ""), *_PLACES, os.getcwd())  # noqa: PTH109
    places = dict.fromkeys(place for place in here if _is_usable(place))
    safe = [place for place in places if _is_safe(place)]
    yield from safe
    yield from (place for place in places if place not in safe)


def _is_usable(place: str) -> bool:
    """True if the path fits into the handshake's line and into gRPC's address as it is."""
    return place.startswith("/") and all(
        letter.isascii() and (letter.isalnum() or letter in "/._-+") for letter in place
    )


def _is_safe(place: str) -> bool:
    """True if nobody but this user and root can rename any part of the path."""
    path = os.path.realpath(place)
    while _is_ours(path):
        if path == "/":
            return True
        path = os.path.dirname(path)  # noqa: PTH120
    return False


def _is_ours(path: str) -> bool:
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    is_shared = state.st_mode & 0o022 and not state.st_mode & stat.S_ISVTX
    return state.st_uid in (0, os.geteuid()) and not is_shared


def _enter(path: str) -> int:
    """A descriptor of the new folder, locked."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        state = os.stat(path)  # noqa: PTH116 - another plugin may have taken it for a leftover
        if state.st_uid == os.geteuid() and not state.st_mode & 0o077:
            return descriptor
        cause = "others could enter a folder made there"
    except OSError as error:
        cause = error.strerror or str(error)
    os.close(descriptor)
    raise OSError(cause)


def _remove_if_dead(path: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = _open(path)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
        finally:
            os.close(descriptor)


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(f"{path}/{_SOCKET}")  # noqa: PTH108
    with contextlib.suppress(OSError):
        os.rmdir(path)  # noqa: PTH106
