"""What a backup stored, in a folder as Velero extracts an archive before it restores it.

Source: "Output file format" of Velero's documentation, and pkg/archive/extractor.go of v1.18.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from stillpoint.model import json_text
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference

_VERSION = "1.1.0"
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - with a random name in it
_ROOM_BYTES = 1 << 30
"""What 30,000 machines take; a container without more of it has 64 MB."""


def temporary_folder() -> TemporaryDirectory[str]:
    """A folder for the extracted backup, in memory where there is room.

    It holds secrets, which do not belong on a disk; and 12,000 files took 6 s of CPU on ext4.
    """
    is_writable = os.access(_IN_MEMORY, os.W_OK)
    has_room = is_writable and shutil.disk_usage(_IN_MEMORY).free > _ROOM_BYTES
    return TemporaryDirectory(prefix="stillpoint-", dir=_IN_MEMORY if has_room else None)


def write(stored: Mapping[Reference, Item], folder: Path) -> None:
    """Write every item to its place below `folder`, which is made."""
    metadata = folder / "metadata"
    metadata.mkdir(parents=True)
    (metadata / "version").write_text(_VERSION)
    places: dict[tuple[str, str], Path] = {}
    for reference, item in stored.items():
        key = (reference.group_resource, reference.namespace)
        if key not in places:
            scope = ("namespaces", reference.namespace) if reference.namespace else ("cluster",)
            places[key] = folder.joinpath("resources", reference.group_resource, *scope)
            places[key].mkdir(parents=True)
        (places[key] / f"{reference.name}.json").write_bytes(json_text.encode(item))
