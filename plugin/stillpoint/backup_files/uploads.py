"""The DataUploads in a backup: that of a claim, and those that stand in its way.

Which is that of a claim, the claim says: an archive can hold the uploads of other backups too, as
that of a backup with Velero's own namespace. A restore makes one result of each, and brings no
claim back that has several (pkg/restore/actions/csi/pvc_action.go of Velero v1.18).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from stillpoint.model.archive import Archive
from stillpoint.model.errors import ArchiveUnreadable, MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.velero.volumes import claim_data, data_upload


class Objects(Archive, Protocol):
    """The objects of a backup, which can be named without being read."""

    def references(self, resource: Resource, namespace: str) -> Sequence[Reference]:
        """The objects of one resource in one namespace by their names, unread."""


def of_claim(stored: Item, objects: Objects) -> Item | None:
    """The DataUpload that a stored claim names; None if it names none, or it is not there."""
    namespace, name = claim_data.upload_place(stored)
    return objects.get(data_upload.RESOURCE.named(namespace, name)) if name else None


def names(claim: Reference, objects: Objects) -> Sequence[str]:
    """The names of all DataUploads that say that they moved the data of a claim."""

    def find() -> Mapping[Reference, Sequence[str]]:
        found: dict[Reference, list[str]] = {}
        for source, name in _sources(objects):
            found.setdefault(source, []).append(name)
        return found

    return objects.once("uploads by claim", find).get(claim, ())


def _sources(objects: Objects) -> Iterator[tuple[Reference, str]]:
    """The claim and the name of each; Velero makes no result of one that cannot be read."""
    for namespace in objects.namespaces(data_upload.RESOURCE):
        for one in objects.references(data_upload.RESOURCE, namespace):
            with suppress(MalformedItem, ArchiveUnreadable):
                yield data_upload.claim(objects.get(one) or {}), one.name
