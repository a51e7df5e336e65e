"""An item: the unstructured JSON object that Velero hands over, and safe reads of its fields.

Items are read by path and never mapped to types: a field that no rule names must come out as it
went in. A getter returns an empty value for a missing field and raises `MalformedItem` for a value
of the wrong type, so that a broken object becomes a clear error and never a guess.
"""

from collections.abc import Container, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from stillpoint.model.errors import MalformedItem

Item: TypeAlias = dict[str, Any]
"""An object of the Kubernetes API as parsed JSON."""


def mapping(item: Item, *path: str) -> Item:
    """The mapping at `path`; empty where the field is missing or null.

    Raises:
        MalformedItem: something else than a mapping is at `path`, or on the way there.
    """
    return _at(item, path, dict) or {}


def require_mapping(item: Item, *path: str) -> Item:
    """The mapping at `path`, which must exist.

    Raises:
        MalformedItem: the field is missing, null or something else than a mapping.
    """
    found = _at(item, path, dict)
    if found is None:
        raise MalformedItem(describe(item), ".".join(path), "an object", None)
    checked: Item = found
    return checked


def sequence(item: Item, *path: str) -> Sequence[Item]:
    """The list of mappings at `path`; empty where the field is missing or null.

    Raises:
        MalformedItem: something else than a list of mappings is at `path`.
    """
    found = _at(item, path, list) or []
    for index, entry in enumerate(found):
        if not isinstance(entry, dict):
            raise MalformedItem(describe(item), f"{'.'.join(path)}[{index}]", "an object", entry)
    return found


def text(item: Item, *path: str) -> str:
    """The string at `path`; empty where the field is missing or null.

    Raises:
        MalformedItem: something else than a string is at `path`.
    """
    return _at(item, path, str) or ""


def texts(item: Item, *path: str) -> Sequence[str]:
    """The list of strings at `path`; empty where the field is missing or null.

    Raises:
        MalformedItem: something else than a list of strings is at `path`.
    """
    found = _at(item, path, list) or []
    for index, entry in enumerate(found):
        if not isinstance(entry, str):
            raise MalformedItem(describe(item), f"{'.'.join(path)}[{index}]", "a string", entry)
    return found


def flag(item: Item, *path: str) -> bool:
    """The boolean at `path`; false where the field is missing or null.

    Raises:
        MalformedItem: something else than a boolean is at `path`.
    """
    return _at(item, path, bool) or False


def name(item: Item) -> str:
    """`metadata.name`."""
    return text(item, "metadata", "name")


def namespace(item: Item) -> str:
    """`metadata.namespace`; empty for a cluster-scoped object."""
    return text(item, "metadata", "namespace")


def uid(item: Item) -> str:
    """`metadata.uid`."""
    return text(item, "metadata", "uid")


def labels(item: Item) -> Item:
    """`metadata.labels`, label to value."""
    return mapping(item, "metadata", "labels")


def annotations(item: Item) -> Item:
    """`metadata.annotations`, annotation to value."""
    return mapping(item, "metadata", "annotations")


def owner(item: Item, kind: str) -> str:
    """Name of the first owner of this kind; empty if there is none."""
    for reference in sequence(item, "metadata", "ownerReferences"):
        if text(reference, "kind") == kind:
            return text(reference, "name")
    return ""


def owners(item: Item) -> Sequence[Item]:
    """`metadata.ownerReferences`."""
    return sequence(item, "metadata", "ownerReferences")


def controller(item: Item) -> str:
    """The owner that looks after the object, `Machine web`; empty if there is none."""
    for owner in owners(item):
        if flag(owner, "controller"):
            return f"{text(owner, 'kind')} {text(owner, 'name')}"
    return ""


def reference_to(owner: Item) -> Item:
    """An owner reference to an object of the cluster, as its controller writes it.

    Without `blockOwnerDeletion`, which takes a right to the owner's finalizers where the API server
    asks for that (`OwnerReferencesPermissionEnforcement`).
    """
    return {
        "apiVersion": text(owner, "apiVersion"),
        "kind": text(owner, "kind"),
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
    }


def creation_time(item: Item) -> datetime | None:
    """`metadata.creationTimestamp`, aware; None where the object does not say."""
    return time(item, "metadata", "creationTimestamp")


def is_being_deleted(item: Item) -> bool:
    """True if the object was deleted and waits for its finalizers."""
    return bool(text(item, "metadata", "deletionTimestamp"))


def time(item: Item, *path: str) -> datetime | None:
    """The time at `path`, in UTC; None where the field is missing or empty.

    Raises:
        MalformedItem: something else than a time as of RFC 3339 is at `path`, or one that UTC has
            not, as the last hours of the year 9999 west of it.
    """
    value = text(item, *path)
    try:
        parsed = datetime.fromisoformat(value) if value else None
        if parsed and parsed.tzinfo is None:
            raise _no_time(item, path, value)
        return parsed.astimezone(UTC) if parsed else None
    except (ValueError, OverflowError) as error:
        raise _no_time(item, path, value) from error


def identify(item: Item) -> tuple[str, str]:
    """Namespace and name of a namespaced object that every action must know.

    Raises:
        MalformedItem: kind, namespace or name is missing.
    """
    identity = namespace(item), name(item)
    if all(identity) and text(item, "kind"):
        return identity
    require_mapping(item, "metadata")
    paths = (("kind",), ("metadata", "namespace"), ("metadata", "name"))
    missing = next(path for path in paths if not text(item, *path))
    raise MalformedItem(describe(item), ".".join(missing), "a name", "")


def with_value(item: Item, value: Any, *path: str) -> Item:
    """A copy of `item` with `value` at `path`; whatever is not on the path is shared, not copied.

    A mapping that is missing on the way is made. The order of keys is kept.
    """
    key, *rest = path
    if rest:
        value = with_value(mapping(item, key), value, *rest)
    return {**item, key: value}


def without(item: Item, *path: str) -> Item:
    """A copy of `item` that has nothing at `path`; see `with_value`."""
    *way, key = path
    parent = mapping(item, *way)
    if key not in parent:
        return item
    rest = {name: value for name, value in parent.items() if name != key}
    return with_value(item, rest, *way) if way else rest


def without_finalizers(item: Item, taken_off: Container[str]) -> Item:
    """A copy of `item` without these finalizers; the rest in their order."""
    found = texts(item, "metadata", "finalizers")
    kept = [finalizer for finalizer in found if finalizer not in taken_off]
    if len(kept) == len(found):
        return item
    if not kept:
        return without(item, "metadata", "finalizers")
    return with_value(item, kept, "metadata", "finalizers")


def with_annotation(item: Item, annotation: str, value: str) -> Item:
    """A copy of `item` with this annotation."""
    return with_value(item, value, "metadata", "annotations", annotation)


def names(item: Item) -> tuple[str]:
    """Name of an object as the only key for `Index.list_grouped`."""
    return (name(item),)


def namespaces(item: Item) -> tuple[str]:
    """Namespace of an object as the only key for `Index.list_grouped`."""
    return (namespace(item),)


def group_kind(item: Item) -> tuple[str, str]:
    """The API group of an object, empty for core resources, and its kind."""
    return str(item["apiVersion"]).rpartition("/")[0], item["kind"]


def with_label(item: Item, label: str, value: str) -> Item:
    """A copy of `item` with this label."""
    return with_value(item, value, "metadata", "labels", label)


def describe(item: Item) -> str:
    """The object's name for errors and logs: `VirtualMachine shop/db`.

    Reads leniently: an error about a broken object must not fail on that same object.
    """
    kind = item.get("kind")
    metadata = item.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    parts = [str(part) for part in (metadata.get("namespace"), metadata.get("name")) if part]
    return f"{kind or 'object without a kind'} {'/'.join(parts) or '(without a name)'}"


_JSON_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


def _at(item: Item, path: Sequence[str], expected: type) -> Any:
    value: Any = item
    for key in path:
        try:
            value = value.get(key)
        except AttributeError:  # of JSON's types a mapping alone has `get`
            raise _error(item, _way_to_no_mapping(item, path), dict, value) from None
        if value is None:
            return None
    if not isinstance(value, expected):
        raise _error(item, path, expected, value)
    return value


def _way_to_no_mapping(item: Item, path: Sequence[str]) -> Sequence[str]:
    ways = (path[:length] for length in range(len(path)))
    return next(way for way in ways if not isinstance(_at(item, way, object), dict))


def _no_time(item: Item, path: Sequence[str], found: str) -> MalformedItem:
    return MalformedItem(describe(item), ".".join(path), "a time as of RFC 3339", found)


def _error(item: Item, path: Sequence[str], expected: type, found: Any) -> MalformedItem:
    return MalformedItem(describe(item), ".".join(path), _JSON_NAMES[expected], found)
