"""The errors of a Restore, as Velero keeps them in the object store."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stillpoint.backup_files import compressed
from stillpoint.backup_files.files import Kind
from stillpoint.downloads.files import DownloadedFiles
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError

_MOST = 5


def errors(files: DownloadedFiles, restore: str) -> Sequence[str]:
    """The first errors of a Restore; none if they cannot be read.

    Args:
        files: of any backup, by the same Velero.
    """
    try:
        stream = replace(files, name=restore).open(Kind.RESTORE_RESULTS)
        if stream is None:
            return ()
        with stream:
            book = compressed.json_value(stream, Kind.RESTORE_RESULTS)
        return list(_errors({"errors": book.get("errors")} if isinstance(book, dict) else {}))
    except StillpointError:
        return ()


def _errors(book: it.Item) -> Iterator[str]:
    by_namespace = it.mapping(book, "errors", "namespaces")
    found = [
        *it.texts(book, "errors", "velero"),
        *it.texts(book, "errors", "cluster"),
        *(text for one in by_namespace for text in it.texts(by_namespace, one)),
    ]
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield f"and {len(found) - _MOST} more errors"
