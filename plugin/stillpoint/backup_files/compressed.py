"""Reads what Velero stores in gzip, whatever somebody has put in its place."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from stillpoint.backup_files.files import Kind
from stillpoint.model import json_text
from stillpoint.model.errors import ArchiveUnreadable

_MOST_BYTES = 256 * 1024 * 1024
"""Of a file beside the archive; that of 100,000 volumes has 80 MB."""

_BUFFER = 256 * 1024
_MAGIC = b"\x1f\x8b"


@contextmanager
def decompressed(compressed: IO[bytes], what: str) -> Iterator[IO[bytes]]:
    """The stream without gzip; as it is if it has none, as some downloads undo that by themselves.

    Raises:
        ArchiveUnreadable: what is read in the context is no gzip, or cut short.
    """
    try:
        is_packed = compressed.read(len(_MAGIC)) == _MAGIC
        compressed.seek(0)
        if not is_packed:
            yield compressed
            return
        packed = gzip.GzipFile(fileobj=compressed)
        with io.BufferedReader(cast("io.RawIOBase", packed), _BUFFER) as stream:
            yield cast("IO[bytes]", stream)
    except (OSError, EOFError, zlib.error) as error:
        hint = "it may have been cut short on the way: download it again"
        raise ArchiveUnreadable(what, "cannot read it", str(error), hint) from error


def json_value(compressed: IO[bytes], kind: Kind) -> Any:
    """The JSON of a file beside the archive, or of a Restore from it.

    Raises:
        ArchiveUnreadable: there is none.
    """
    what = f"{kind} of the backup"
    with decompressed(compressed, what) as stream:
        text = stream.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ArchiveUnreadable(what, "cannot read it", f"more than {_MOST_BYTES:,} bytes")
    try:
        return json_text.decode(text)
    except ValueError as error:
        raise ArchiveUnreadable(what, "cannot read it", f"no JSON: {error}") from error
