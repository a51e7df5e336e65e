"""Reads a tar file as a stream, in bounded memory, and never writes a file.

Python's own `tarfile` reads an extended header of any size into memory, and takes ten times as
long. An archive of Velero has regular files alone, with extended headers for long names; links and
devices are passed over, as are folders.

Source: archive/tar of Go, by which Velero writes; POSIX pax and ustar.
"""

from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from stillpoint.model.errors import ArchiveUnreadable

MOST_MEMBER_BYTES = 32 * 1024 * 1024
"""Of a file that is looked into: an object of etcd has 1.5 MiB, unless somebody raised that."""

_BLOCK = 512
_MOST_HEADER_BYTES = 64 * 1024
_MOST_BYTES = 64 * 1024**3
_MOST_MEMBERS = 20_000_000
_PIECE = 256 * 1024

_REGULAR = (b"0", b"\0", b"7")
_PAX, _PAX_OF_ALL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"


class Member(NamedTuple):
    """A regular file.

    Attributes:
        content: None if nobody wants it.
    """

    name: str
    content: bytes | None


def members(stream: IO[bytes], wants: Callable[[str], bool]) -> Iterator[Member]:
    """Regular files in their order.

    Args:
        stream: the tar file, no longer in gzip.
        wants: whether the content of the file of that name is read.

    Raises:
        ArchiveUnreadable: the file is cut short, is no tar file, or is larger than any backup.
    """
    source = _Source(stream)
    name = ""
    size: int | None = None
    for header in _headers(source):
        kind = header[156:157]
        length = _number(header[124:136])
        if kind in (_PAX, _GNU_NAME):
            extended = source.read(length, _MOST_HEADER_BYTES)
            if kind == _GNU_NAME:
                name = _text(extended.partition(b"\0")[0])
            else:
                name, size = _of_pax(extended, name, size)
        elif kind in (_PAX_OF_ALL, _GNU_LINK):
            source.skip(length)
        else:
            length = length if size is None else size
            name = name or _name(header)
            if kind in _REGULAR and wants(name):
                yield Member(name, source.read(length, MOST_MEMBER_BYTES))
            else:
                source.skip(length)
                if kind in _REGULAR:
                    yield Member(name, None)
            name, size = "", None
    source.drain()


class _Source:
    """A stream that counts, and ends where it must."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._bytes = 0

    def header(self) -> bytes:
        return self._exactly(_BLOCK)

    def read(self, length: int, most: int) -> bytes:
        """The next `length` bytes, and past what fills their last block."""
        if length > most:
            raise unreadable(f"it has a file of {length:,} bytes where {most:,} are the most")
        content = self._exactly(length)
        self._exactly(-length % _BLOCK)
        return content

    def skip(self, length: int) -> None:
        left = length + -length % _BLOCK
        while left:
            left -= len(self._exactly(min(left, _PIECE)))

    def drain(self) -> None:
        """Reads to the end, where gzip has its checksum."""
        while piece := self._stream.read(_PIECE):
            self._count(len(piece))

    def _exactly(self, length: int) -> bytes:
        content = self._stream.read(length) if length else b""
        if len(content) < length:
            short = f"it has {len(content)} bytes, which is no tar file"
            raise unreadable("it ends in the middle" if self._bytes else short)
        self._count(length)
        return content

    def _count(self, length: int) -> None:
        self._bytes += length
        if self._bytes > _MOST_BYTES:
            raise unreadable(f"it has more than {_MOST_BYTES:,} bytes")


def _headers(source: _Source) -> Iterator[bytes]:
    for _ in range(_MOST_MEMBERS):
        header = source.header()
        if not header.strip(b"\0"):
            return
        if _number(header[148:156]) != _checksum(header):
            raise unreadable("it is no tar file, or a broken one")
        yield header
    raise unreadable(f"it has more than {_MOST_MEMBERS:,} files")


def _checksum(header: bytes) -> int:
    """The sum of all bytes, with blanks where the sum is written."""
    return sum(header) - sum(header[148:156]) + 8 * ord(" ")


def _number(field: bytes) -> int:
    """A number in octal digits; a larger one in binary, after a first bit that says so."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise unreadable("it is no tar file, or a broken one") from None


def _name(header: bytes) -> str:
    """The name of ustar, whose first part may stand apart."""
    name, prefix = (_text(part.partition(b"\0")[0]) for part in (header[:100], header[345:500]))
    is_ustar = header[257:263] == b"ustar\0"
    return f"{prefix}/{name}" if is_ustar and prefix else name


def _of_pax(records: bytes, name: str, size: int | None) -> tuple[str, int | None]:
    """Name and size of an extended header; each record is `LENGTH KEY=VALUE` and a line end."""
    while records:
        digits, _, _ = records.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        key, equals, value = records[len(digits) + 1 : length].partition(b"=")
        if not equals or not value.endswith(b"\n") or length > len(records):
            raise unreadable("it has an extended header that is none")
        if key == b"path":
            name = _text(value[:-1])
        elif key == b"size":
            size = _decimal(value[:-1])
        records = records[length:]
    return name, size


def _decimal(digits: bytes) -> int:
    if digits.isdigit() and len(digits) < 16:
        return int(digits)
    raise unreadable("it has an extended header that is none")


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def unreadable(cause: str) -> ArchiveUnreadable:
    """The error."""
    hint = "it may have been cut short on the way: download it again"
    return ArchiveUnreadable("archive of the backup", "cannot read it", cause, hint)
