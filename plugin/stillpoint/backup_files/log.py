"""The log of a backup, whatever its lines are."""

from collections.abc import Iterator
from typing import IO

from stillpoint.backup_files import compressed
from stillpoint.backup_files.files import Files, Kind
from stillpoint.model.errors import ArchiveUnreadable

_MOST_LINE_BYTES = 64 * 1024
_MOST_BYTES = 16 * 1024 * 1024 * 1024
"""Of the whole log, without gzip: a hundred times that of a large backup at level `debug`."""


def lines(files: Files) -> Iterator[bytes] | None:
    """The lines of a backup's log, read as they are asked for; None if there is no log.

    A line that is longer than a line of Velero's is left out.

    Raises:
        StillpointError: the log cannot be read; also a read of a line.
    """
    stream = files.open(Kind.LOG)
    return None if stream is None else _lines(stream)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    what, read = f"{Kind.LOG} of the backup", 0
    with stream, compressed.decompressed(stream, what) as text:
        is_whole = True
        while line := text.readline(_MOST_LINE_BYTES):
            read += len(line)
            if read > _MOST_BYTES:
                raise ArchiveUnreadable(what, "cannot read it", f"more than {_MOST_BYTES:,} bytes")
            is_begun, is_whole = not is_whole, line.endswith(b"\n")
            if is_whole and not is_begun:
                yield line
