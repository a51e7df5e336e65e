"""Layout of what `oc adm must-gather` and `oc adm inspect` leave: what a file is of, and its time.

Source: pkg/cli/admin/inspect and pkg/cli/admin/mustgather of openshift/oc, April 2026;
must-gather/pkg of oadp-operator, July 2025, which adds lists of its own in the same folders.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

_OF_NAMESPACES, _OF_CLUSTER = "namespaces", "cluster-scoped-resources"
_CORE = "core"
_PODS = "pods"
_TIMESTAMP = "timestamp"
_MOST_LINES = 100
_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? ([+-]\d{4}) ", re.ASCII)
"""`2026-11-01 12:00:03.5 +0000 UTC m=+0.1`."""


def resource_of(file: Path) -> str | None:
    """`backups.velero.io` for the file of a list or of one object; None for any other place.

    The file is `namespaces/NAMESPACE/GROUP/PLURAL.yaml`, or `GROUP/PLURAL/NAME.yaml` there; objects
    of the whole cluster are in `cluster-scoped-resources/GROUP`. A namespace is
    `namespaces/NAME/NAME.yaml`, and a pod has a folder with its logs, too.
    """
    parts = [part.partition(".yaml")[0] for part in file.parts]
    for number, part in enumerate(parts):
        below = parts[number + 1 :]
        if part == _OF_CLUSTER and len(below) > 1:
            return _name(*below[:2])
        if part == _OF_NAMESPACES and len(below) > 1:
            return _name(*below[1:3]) if len(below) > 2 else _OF_NAMESPACES
    return None


def _name(group: str, plural: str) -> str:
    if group == _PODS:
        return _PODS
    return plural if group == _CORE else f"{plural}.{group}"


def times(folder: Path) -> Iterator[datetime]:
    """The times at which the dump began and ended, by the clock of who made it."""
    for file in folder.rglob(_TIMESTAMP) if folder.is_dir() else ():
        if file.is_file():
            with suppress(OSError, UnicodeDecodeError), file.open() as lines:
                found = map(_GO_TIME.match, islice(lines, _MOST_LINES))
                yield from (_time(*one.groups()) for one in found if one)


def _time(text: str, offset: str) -> datetime:
    return datetime.strptime(f"{text} {offset}", "%Y-%m-%d %H:%M:%S %z")
