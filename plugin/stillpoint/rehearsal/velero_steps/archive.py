"""Writes the items of a rehearsed backup in the layout of Velero's own archives.

Source: pkg/archive and pkg/backup/item_backupper.go of Velero v1.18. Left out are snapshots, and
    the files that stand beside an archive in an object store.
"""

import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from stillpoint.model import json_text
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import NotWritten
from stillpoint.rehearsal.velero_steps.backup import BackupContents
from stillpoint.rehearsal.velero_steps.selection import Selection

FORMAT_VERSION = b"1.1.0\n"
_MODE = 0o755
_ATTEMPT = "cannot write the archive"


def write(backup: BackupContents, selection: Selection, file: Path) -> None:
    """Writes the archive; it holds secrets, so that only its owner may read it.

    A file of that name is replaced when the new file is complete. Links and devices are refused.

    Raises:
        NotWritten: the file cannot be written.
    """
    try:
        if file.is_symlink() or (file.exists() and not file.is_file()):
            cause = "it is a link" if file.is_symlink() else "it is no regular file"
            raise NotWritten(str(file), _ATTEMPT, cause, "name a file, or one that is not there")
        descriptor, temporary = tempfile.mkstemp(prefix=".stillpoint-", dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                _fill(backup, selection, file, stream)
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink()
            raise
    except OSError as error:
        raise NotWritten(str(file), _ATTEMPT, str(error)) from error


def _fill(backup: BackupContents, selection: Selection, file: Path, stream: IO[bytes]) -> None:
    with tarfile.open(file, "w:gz", fileobj=stream) as tarball:
        for reference, item in backup.stored.items():
            content = json_text.encode(item)
            for path in paths(reference, selection.served[reference].version, item):
                _add(tarball, path, content)
        _add(tarball, "metadata/version", FORMAT_VERSION)


def paths(reference: Reference, preferred: str, item: Item) -> list[str]:
    """Velero's paths of an item: without its version, for older releases, and with it.

    Args:
        preferred: version that the cluster prefers for the resource.
    """
    version = str(item["apiVersion"]).rpartition("/")[2]
    scope = f"namespaces/{reference.namespace}" if reference.namespace else "cluster"
    place = f"{scope}/{reference.name}.json"
    resource = f"resources/{reference.group_resource}"
    if version != preferred:
        return [f"{resource}/{version}/{place}"]
    return [f"{resource}/{place}", f"{resource}/{version}-preferredversion/{place}"]


def _add(tarball: tarfile.TarFile, path: str, content: bytes) -> None:
    header = tarfile.TarInfo(path)
    header.size, header.mode = len(content), _MODE
    tarball.addfile(header, io.BytesIO(content))
