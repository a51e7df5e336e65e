"""A file without a name, for a program that reads a secret from a file.

The file is in memory, as a secret must not reach a disk, and a frozen disk could not take it; and
not in /run, if possible: others can fill that, also between freeze and thaw.
"""

import contextlib
import ctypes
import os
import tempfile
from typing import IO, Iterator, Optional

from stillpoint_guest.processes import family

_CLOEXEC = 1  # MFD_CLOEXEC in linux/memfd.h
_RUN = "/run"
_LIBC = ctypes.CDLL(None, use_errno=True)  # os has memfd_create since Python 3.8


@contextlib.contextmanager
def secret_file(content: Optional[bytes], user: str) -> Iterator[Optional[IO[bytes]]]:
    """A file for the block; a program that was given its descriptor keeps the file.

    Args:
        content: of the file; None: no file.
        user: may read it besides us, see `family.entrance`; "" is nobody.

    Raises:
        OSError: there is no memory for the file.
        KeyError: there is no such user.
    """
    if content is None:
        yield None
        return
    with _in_memory() as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        if user:
            os.fchown(file.fileno(), family.user_number(user), -1)
        yield file


def _in_memory() -> IO[bytes]:
    try:
        descriptor = _LIBC.memfd_create(b"secret", _CLOEXEC)
    except AttributeError:  # glibc has it since 2.27
        descriptor = -1
    if descriptor < 0:  # or Linux may not give one: vm.memfd_noexec = 2
        return tempfile.TemporaryFile(dir=_RUN)
    return os.fdopen(descriptor, "w+b")
