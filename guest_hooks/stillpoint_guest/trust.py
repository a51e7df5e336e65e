"""Trust in files: the agent runs as root, so root alone may have written them.

A path is checked as written, component by component: a link in a folder of somebody else's leads
where that person wants, whatever is behind it.
"""

import os
import re
import stat
from typing import Callable, Iterator, List, NamedTuple, Optional

from stillpoint_guest.errors import ConfigurationError, UntrustedFile

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_MOST_LINKS = 40  # as the kernel's MAXSYMLINKS
_ROOT_OF_A_PROCESS = re.compile(r"/proc/\d+/root")  # a link whose text does not say where it leads


class Component(NamedTuple):
    """A folder, a link, or what is at the end of a path."""

    path: str
    status: os.stat_result  # its own: not of what a link leads to

    @property
    def is_link(self) -> bool:
        """True for a link; its target is a component as well."""
        return stat.S_ISLNK(self.status.st_mode)

    @property
    def is_shared_folder(self) -> bool:
        """True if everybody may put something there, but nobody take away what is another's."""
        mode = self.status.st_mode
        return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)


class Fault(NamedTuple):
    """The reason for distrust in a component, and a remedy."""

    cause: str
    hint: str


def require(path: str, is_secret: bool = False) -> None:
    """Goes on only if nobody but root can change or replace this file.

    The owner of the running process counts as root, for people who try it as themselves.

    Raises:
        ConfigurationError: there is no such file.
        UntrustedFile: the file, or a folder or link on its way, is somebody else's or can be
            written by others; or the file is a secret that others can read.
    """
    trusted = (0, os.geteuid())
    try:
        for one in components(path):
            fault = fault_of(one, lambda user: user in trusted)
            if fault:
                raise UntrustedFile(path, "trust it", *fault)
    except OSError as error:
        hint = "put there what is missing, or name the right one"
        raise ConfigurationError(path, "read it", error.strerror or str(error), hint) from error
    if is_secret and one.status.st_mode & _OTHERS_READ:
        raise UntrustedFile(path, "read a secret", "others can read it too", f"chmod 600 {path}")


def components(path: str) -> Iterator[Component]:
    """All components of a path that the kernel passes; the last is the file.

    The root of another process (`/proc/PID/root`) is a root from there on.

    Raises:
        OSError: the path leads nowhere, or in circles.
    """
    root, reached, links = "/", "/", 0
    todo = _parts(os.path.join(os.getcwd(), path))
    yield Component(root, os.lstat(root))
    while todo:
        part = todo.pop()
        if part in (".", ".."):
            reached = reached if part == "." or reached == root else os.path.dirname(reached)
            continue
        here = Component(os.path.join(reached, part), os.lstat(os.path.join(reached, part)))
        yield here
        if not here.is_link:
            reached = here.path
        elif root == "/" and _ROOT_OF_A_PROCESS.fullmatch(here.path):
            root = reached = here.path
        else:
            links += 1
            if links > _MOST_LINKS:
                raise OSError(f"too many links on the way to {path}")
            target = os.readlink(here.path)
            reached = root if target.startswith("/") else reached
            todo += _parts(target)


def fault_of(
    component: Component,
    is_trusted: Callable[[int], bool],
    is_trusted_group: Callable[[int, int], bool] = lambda _group, _user: False,
) -> Optional[Fault]:
    """The reason why others than the trusted can change a component, or its content; None if none.

    Args:
        component: of a path.
        is_trusted: true if that user may.
        is_trusted_group: true if that group may write that user's files.
    """
    path, status = component
    if not is_trusted(status.st_uid):
        return Fault(f"{path} belongs to user {status.st_uid}", f"chown -h root: {path}")
    if component.is_link or component.is_shared_folder or stat.S_ISSOCK(status.st_mode):
        return None  # of a link the mode says nothing; a socket's says who may connect
    others = status.st_mode & _OTHERS_WRITE
    if others & stat.S_IWGRP and is_trusted_group(status.st_gid, status.st_uid):
        others &= ~stat.S_IWGRP
    if others:
        cause = f"{path} can be written by others than its owner"
        return Fault(cause, f"chmod go-w {path}")
    return None


def _parts(path: str) -> List[str]:
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part]


def real_path(path: str) -> str:
    """The target of a path, behind every link but the root of another process, which stays."""
    return path if _ROOT_OF_A_PROCESS.match(path) else os.path.realpath(path)
