"""Documents of the evidence as annotations: JSON of a version, under the seal of their backup.

Whoever may write VolumeSnapshots in the machine's namespace could write such an annotation too; the
seal is made with a secret of the backup's own, which no tenant can read (`seal_secret`). Where
there is none, as in backups of earlier versions, it is made with the Backup's uid.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.seal import Seal
from stillpoint.velero import seal_secret

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Key:
    """The key of the seal on the documents of a backup.

    Attributes:
        is_uid: true if it is the Backup's uid, which tenants may come to know.
    """

    secret: str
    is_uid: bool = False

    @classmethod
    def of_backup(cls, backup: Item) -> "Key":
        """The key of a backup that goes on: the secret that was drawn for it, or else its uid."""
        secret = seal_secret.drawn_for(backup)
        return cls(secret) if secret else cls(it.uid(backup), is_uid=True)

    @property
    def version(self) -> int:
        """The version of documents under its seal; a document says its own, which is sealed too."""
        return 1 if self.is_uid else 2


def text(annotation: str, document: Item, key: Key) -> str:
    """The annotation's value."""
    content = {"v": key.version, **document}
    seal = Seal(key.secret).on(*_words(annotation, content))
    return json_text.encode({**content, "seal": seal}).decode()


def read(annotation: str, item: Item, key: Key, parse: Callable[[Item], Read]) -> Read | None:
    """The document in an annotation of the item; None if the item has no such annotation.

    Args:
        parse: makes the result of a document without version and seal.

    Raises:
        MalformedItem: the annotation is no document of the key's version, or does not bear the
            seal of this backup.
    """
    value = it.annotations(item).get(annotation)
    if value is None:
        return None
    try:
        document: Item = json_text.decode(str(value))
        seal = document.pop("seal")
        is_ours = Seal(key.secret).is_on(seal, *_words(annotation, document))
        if document.pop("v") == key.version and is_ours:
            return parse(document)
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    path = f"metadata.annotations.{annotation}"
    wanted = f"a document of version {key.version} under the seal of this backup"
    raise MalformedItem(it.describe(item), path, wanted, value)


def wants_secret(annotation: str, item: Item) -> bool:
    """True if an annotation says that its seal is made with a secret; whoever wrote it says so."""
    try:
        document = json_text.decode(str(it.annotations(item).get(annotation)))
        return bool(document["v"] == Key("").version)
    except (ValueError, TypeError, KeyError):
        return False


def _words(annotation: str, document: Item) -> Iterator[str]:
    yield annotation
    yield json_text.encode(_sorted(document)).decode()


def _sorted(value: Any) -> Any:
    """The value with keys in order: who stores a document may reorder it."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return list(map(_sorted, value)) if isinstance(value, list) else value
