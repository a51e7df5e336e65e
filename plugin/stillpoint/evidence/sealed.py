"""Documents of the evidence as annotations: JSON of a version, under the seal of their backup.

Whoever may write VolumeSnapshots in the machine's namespace could write such an annotation too; the
seal is made with the Backup's uid, which only Velero's namespace and the backup's own files show:
but for Velero's own group snapshots, where no such document counts (docs/evidence.md).
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.seal import Seal

VERSION = 1

Read = TypeVar("Read")


def text(annotation: str, document: Item, backup_uid: str) -> str:
    """The annotation's value."""
    content = {"v": VERSION, **document}
    seal = Seal(backup_uid).on(*_words(annotation, content))
    return json_text.encode({**content, "seal": seal}).decode()


def read(
    annotation: str, item: Item, backup_uid: str, parse: Callable[[Item], Read]
) -> Read | None:
    """The document in an annotation of the item; None if the item has no such annotation.

    Args:
        parse: makes the result of a document without version and seal.

    Raises:
        MalformedItem: the annotation is no document of a version that is known, or does not bear
            the seal of this backup.
    """
    value = it.annotations(item).get(annotation)
    if value is None:
        return None
    try:
        document: Item = json_text.decode(str(value))
        seal = document.pop("seal")
        is_ours = Seal(backup_uid).is_on(seal, *_words(annotation, document))
        if document.pop("v") == VERSION and is_ours:
            return parse(document)
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    path = f"metadata.annotations.{annotation}"
    wanted = f"a document of version {VERSION} under the seal of this backup"
    raise MalformedItem(it.describe(item), path, wanted, value)


def _words(annotation: str, document: Item) -> Iterator[str]:
    yield annotation
    yield json_text.encode(_sorted(document)).decode()


def _sorted(value: Any) -> Any:
    """The value with keys in order: who stores a document may reorder it."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return list(map(_sorted, value)) if isinstance(value, list) else value
