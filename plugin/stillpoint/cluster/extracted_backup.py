"""Reads the backup that Velero restores from the folder into which Velero has extracted it.

Velero runs the plugin in its own container, and extracts the whole archive into a folder of the
temporary directory before it calls the first action. The layout is that of the archive, which
Velero documents ("Output file format"). Velero does not say where the folder is, so the right
folder is recognized by the item in hand: the same object is stored there. Of several the newest is
taken: Velero restores a single backup at a time, and leaves what was extracted of a truncated
archive where it is.

Source: pkg/archive/extractor.go and pkg/restore/restore.go of Velero v1.18.
"""

import os
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

from stillpoint.cluster.cache import Cache
from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.archive import Archive
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource

Value = TypeVar("Value")

_MOST_VALUES = 10_000
_MOST_RESTORES = 8


class ExtractedBackup:
    """An `Archive` in a folder.

    Args:
        folder: the parent of `resources/`.
    """

    def __init__(self, folder: Path) -> None:
        self._resources = folder / "resources"
        self._cache = Cache(_MOST_VALUES, float("inf"), time.monotonic)

    def get(self, reference: Reference) -> Item | None:
        """See `Archive.get`."""
        file = self._file(reference)
        return _read(file) if file.is_file() else None

    def holds(self, reference: Reference) -> bool:
        """See `Archive.holds`."""
        return self._file(reference).is_file()

    def list(self, resource: Resource, namespace: str) -> Sequence[Item]:
        """See `Archive.list`."""
        folder = self._resources / str(resource) / "namespaces" / namespace
        return [_read(file) for file in sorted(folder.glob("*.json"))]

    def namespaces(self, resource: Resource) -> Sequence[str]:
        """See `Archive.namespaces`."""
        folder = self._resources / str(resource) / "namespaces"
        return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """See `Archive.once`."""
        return cast("Value", self._cache.once(key, compute))

    def _file(self, reference: Reference) -> Path:
        place = ("namespaces", reference.namespace) if reference.namespace else ("cluster",)
        parts = (reference.group_resource, *place, f"{reference.name}.json")
        if any("/" in part for part in parts):  # no object of the API has it: it leads elsewhere
            return Path(os.devnull)
        return self._resources.joinpath(*parts)


class _Late:
    """An archive that is searched for at the first read, as most restores never read."""

    def __init__(self, find: Callable[[], ExtractedBackup]) -> None:
        self._find = find

    def get(self, reference: Reference) -> Item | None:
        return self._find().get(reference)

    def holds(self, reference: Reference) -> bool:
        return self._find().holds(reference)

    def list(self, resource: Resource, namespace: str) -> Sequence[Item]:
        return self._find().list(resource, namespace)

    def namespaces(self, resource: Resource) -> Sequence[str]:
        return self._find().namespaces(resource)

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        return self._find().once(key, compute)


class ExtractedBackups:
    """Keeps an `ExtractedBackup` for each of the last few restores.

    Args:
        folder: where Velero makes its temporary folders.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._cache = Cache(_MOST_RESTORES, float("inf"), time.monotonic)

    def of_restore(self, uid: str, stored: Item) -> Archive:
        """The archive of the restore with this uid.

        Args:
            stored: an item of that archive.
        """

        def find() -> ExtractedBackup:
            extracted: ExtractedBackup = self._cache.once(uid, lambda: self._find(stored))
            return extracted

        return _Late(find)

    def _find(self, stored: Item) -> ExtractedBackup:
        folder = self._folder or Path(tempfile.gettempdir())
        candidates = folder.iterdir() if folder.is_dir() else ()
        for candidate in sorted(candidates, key=_modification_time_ns, reverse=True):
            if any(_is_same(file, stored) for file in _files(candidate, stored)):
                return ExtractedBackup(candidate)
        cause = f"no folder of {folder} holds {it.describe(stored)} as Velero extracts a backup"
        raise ArchiveUnreadable(
            "backup that is restored", "cannot look into it", cause,
            "does the plugin run in Velero's own container?",
        )  # fmt: skip


def _modification_time_ns(candidate: Path) -> int:
    """Time of the folder's last change; 0 if the folder is being removed just now."""
    try:
        return candidate.stat().st_mtime_ns
    except OSError:
        return 0


def _files(candidate: Path, stored: Item) -> Iterator[Path]:
    namespace = it.namespace(stored)
    place = f"namespaces/{namespace}" if namespace else "cluster"
    resources = candidate / "resources"
    if resources.is_dir() and it.name(stored):
        yield from resources.glob(f"*/{place}/{it.name(stored)}.json")


def _is_same(file: Path, stored: Item) -> bool:
    try:
        item = _read(file)
    except ArchiveUnreadable:  # then Velero has not read the item in hand from it
        return False
    return all(
        item.get("metadata", {}).get(key) == stored.get("metadata", {}).get(key)
        for key in ("uid", "resourceVersion", "namespace", "name")
    ) and item.get("kind") == stored.get("kind")


def _read(file: Path) -> Item:
    try:
        item = json_text.decode(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(file, str(error)) from error
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        raise _unreadable(file, "it is no object of the Kubernetes API")
    return item


def _unreadable(file: Path, cause: str) -> ArchiveUnreadable:
    name = "/".join(file.parts[-4:])
    hint = "the archive may have been truncated when written: restore from another backup"
    return ArchiveUnreadable(f"{name} of the backup", "cannot read it", cause, hint)
