"""A finished backup as a whole, common to all of its machines."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.velero.volumes import data_upload


@dataclass(frozen=True, slots=True)
class EndedBackup:
    """Facts about a finished backup.

    Attributes:
        backup: the Backup; None if it is neither beside the archive nor in the target.
        now: by which it expires.
        uploads: names of the DataUploads in it that say that they moved the data of a claim.
    """

    backup: Item | None
    now: datetime
    uploads: Mapping[Reference, Sequence[str]]

    @classmethod
    def of(
        cls, backup: Item | None, now: datetime, stored: Mapping[Reference, Item]
    ) -> "EndedBackup":
        """Indexes the stored DataUploads, once for all machines."""
        uploads: dict[Reference, list[str]] = {}
        for claim, name in _uploads(stored):
            uploads.setdefault(claim, []).append(name)
        return cls(backup, now, uploads)


def _uploads(stored: Mapping[Reference, Item]) -> Iterator[tuple[Reference, str]]:
    """The claim and the name of each; Velero makes no result of one that cannot be read."""
    for reference, item in stored.items():
        if reference.is_of(data_upload.RESOURCE):
            with suppress(MalformedItem):
                yield data_upload.claim(item), reference.name
