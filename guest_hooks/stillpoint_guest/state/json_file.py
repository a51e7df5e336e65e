"""Documents on the guest's disk: replaced as a whole, and a copy of the disk has them."""

import json
import os
from typing import Any

_MOST_READ_BYTES = 16 * 1024 * 1024


def write(path: str, content: Any) -> None:
    """Replaces a document, and makes its folder; when this returns, the disk has it.

    Raises:
        OSError: not written; the previous document stays.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)
    sync_folder(os.path.dirname(path))


def read(path: str) -> Any:
    """The content of a document, of a bounded size.

    Raises:
        OSError: it cannot be read.
        ValueError, RecursionError: it is no document, or torn.
    """
    with open(path, "rb") as file:
        return json.loads(file.read(_MOST_READ_BYTES).decode())


def sync_folder(folder: str) -> None:
    """Has the disk know the names in a folder.

    Raises:
        OSError: the folder cannot be synced.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
