"""Warnings of a restore, which a user sees in `velero restore describe`.

Velero has no field for a warning of an action, but warns about an additional item that the backup
lacks, with the item's path: so a warning is the name of an item that no backup has.

Source: restoreItem in pkg/restore/restore.go of Velero v1.18.
"""

from collections.abc import Sequence

from stillpoint.model.reference import Reference

RESOURCE = ("stillpoint.dev", "warnings")
"""Group and resource of an item that is a warning."""

_LONGEST_BYTES = 240  # a file's name ends at 255, and Velero adds `.json`
_CUT = "..."


def of(namespace: str, text: str) -> Reference:
    """The additional item that Velero warns of with this text."""
    plain = text.replace("/", " ")  # no name has one
    data = plain.encode()
    if len(data) > _LONGEST_BYTES:
        plain = data[: _LONGEST_BYTES - len(_CUT)].decode(errors="ignore") + _CUT
    return Reference(*RESOURCE, namespace, plain)


def listing(namespace: str, begin: str, entries: Sequence[str]) -> Reference:
    """A warning with a list: as many entries as have room, and how many more there are."""
    return of(namespace, begin + _shorten(entries, _LONGEST_BYTES - len(begin.encode())))


def _shorten(entries: Sequence[str], longest: int) -> str:
    for count in range(len(entries), 0, -1):
        rest = len(entries) - count
        text = ", ".join(entries[:count]) + (f" and {rest} more, see its log" if rest else "")
        if len(text.encode()) <= longest:
            return text
    return "see its log"
