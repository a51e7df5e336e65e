"""The files in the archive of a backup, wherever it lies: packed, or extracted by somebody."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from stillpoint.backup_files import compressed, tar_stream
from stillpoint.backup_files.files import Files, Kind
from stillpoint.backup_files.local import LocalFiles
from stillpoint.backup_files.tar_stream import Member
from stillpoint.model.errors import ArchiveUnreadable


@contextmanager
def members(files: Files, wants: Callable[[str], bool]) -> Iterator[Iterable[Member] | None]:
    """The files in the archive, to be read in the context; None if there is no archive.

    Args:
        wants: see `tar_stream.members`.

    Raises:
        ArchiveUnreadable: the archive cannot be read; it names the backup.
        StillpointError: it cannot be downloaded.
    """
    if isinstance(files, LocalFiles) and (extracted := files.members(wants)) is not None:
        yield extracted
        return
    stream = files.open(Kind.CONTENTS)
    if stream is None:
        yield None
        return
    try:
        with stream, compressed.decompressed(stream, "archive of the backup") as tar:
            yield tar_stream.members(tar, wants)
    except ArchiveUnreadable as error:
        if files.origin in error.subject:
            raise
        subject = f"{files.origin}: {error.subject}"
        raise ArchiveUnreadable(subject, error.attempt, error.cause, error.hint) from error
