"""The open files of a process: the places of a server's data, whatever its options."""

import os
from typing import Sequence

_MOST = 65536  # a server of very many tables has as many


def open_files(number: int) -> Sequence[str]:
    """Paths as the process sees them; none if the process has ended, or for the number 0."""
    folder = f"/proc/{number}/fd"
    found = set()
    try:
        descriptors = os.listdir(folder) if number else []
    except OSError:
        return ()
    for descriptor in descriptors[:_MOST]:
        try:
            path = os.readlink(os.path.join(folder, descriptor))
        except OSError:
            continue  # closed meanwhile
        if path.startswith("/") and not path.endswith(" (deleted)"):
            found.add(path)
    return sorted(found)
