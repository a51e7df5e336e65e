"""Compares a restored object with the one that was backed up, field by field."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cluster.api import Object

MISSING = "(missing)"

NEW_IN_EVERY_RESTORE = (
    "metadata.creationTimestamp",
    "metadata.finalizers",  # virt-controller sets them again
    "metadata.generation",
    "metadata.labels.velero.io/backup-name",
    "metadata.labels.velero.io/restore-name",
    "metadata.managedFields",
    "metadata.namespace",
    "metadata.ownerReferences",  # Velero restores none; the owners' controllers do
    "metadata.resourceVersion",
    "metadata.uid",
    "status",  # Velero restores none
)


def differences(
    before: Object, after: Object, expected: Mapping[str, tuple[Any, Any]] | None = None
) -> dict[str, tuple[Any, Any]]:
    """Fields by path with their values before and after; `expected` ones are left out."""
    found = dict(_differences(before, after, ()))
    unexpected = {
        path: values
        for path, values in found.items()
        if not path.startswith(NEW_IN_EVERY_RESTORE) and values != (expected or {}).get(path)
    }
    not_found = {path: values for path, values in (expected or {}).items() if path not in found}
    return unexpected | not_found


def _differences(
    before: Any, after: Any, path: tuple[str, ...]
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            yield from _differences(before.get(key, MISSING), after.get(key, MISSING), (*path, key))
    elif isinstance(before, dict) and before and after == MISSING:
        yield from _differences(before, {}, path)
    elif isinstance(after, dict) and after and before == MISSING:
        yield from _differences({}, after, path)
    elif before != after:
        yield ".".join(path), (before, after)
