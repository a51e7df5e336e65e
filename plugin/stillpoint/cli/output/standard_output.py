"""Standard output, whose last byte is written before the exit status is known."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from stillpoint.model.errors import StillpointError

_FAILURE = ("standard output", "cannot write to it")


@contextmanager
def flushed() -> Iterator[TextIO]:
    """Standard output, flushed at the end; characters that its encoding lacks become escapes.

    Raises:
        BrokenPipeError: its reader has left.
        StillpointError: it is closed, or a write fails.
    """
    if sys.stdout is None:
        raise StillpointError(*_FAILURE, "it is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        _discard_rest()
        if isinstance(error, BrokenPipeError):
            raise
        raise StillpointError(*_FAILURE, error.strerror or str(error)) from error


def _discard_rest() -> None:
    """Spares the interpreter's end another failure, which would change the exit status."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
