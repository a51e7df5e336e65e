"""Proof that the disks of a restored machine are new: nothing that anybody else has is written to.

A claim that Velero restored may be bound to the volume of the original, as Velero restores a volume
that has no snapshot and is to be kept (handleSkippedPVHasRetainPolicy in pkg/restore/restore.go of
v1.18), or to one that somebody has made by hand.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim
from stillpoint.velero.volumes import data_download


class Volumes:
    """The volumes of the cluster at one moment.

    Args:
        items: all of them.
        originals: places of the volumes that the backup was taken of; None if they are not known:
            then a volume counts as new only if the provisioner has named it after its claim, or a
            data mover has labelled it for that claim.
        since: when the scratch namespace was created.
    """

    def __init__(
        self, items: Iterable[Item], originals: Collection[str] | None, since: datetime
    ) -> None:
        self._by_name = {it.name(one): one for one in items}
        self._by_place = Counter(map(persistent_volume.place, self._by_name.values()))
        self._originals = originals
        self._since = since

    def of(self, claim: Item) -> Item | None:
        """The volume that a claim names; None if it names none, or one that is not there."""
        return self._by_name.get(persistent_volume_claim.volume(claim))

    def why_not_new(self, claim: Item) -> str:
        """Why the volume of a bound claim may be somebody else's; empty if it is surely new."""
        volume = self.of(claim)
        if volume is None:
            return "its volume is not there"
        if not persistent_volume.is_bound_to(volume, claim):
            return f"volume {it.name(volume)} is for another claim"
        created = it.creation_time(volume)
        if created is None or created < self._since:
            return f"volume {it.name(volume)} is older than this verification"
        place = persistent_volume.place(volume)
        if not place or self._may_be_of_original(place, volume, claim):
            return f"volume {it.name(volume)} may have the bytes of the original"
        if self._by_place[place] > 1:
            return f"volume {it.name(volume)} has the bytes of another volume, too"
        return ""

    def _may_be_of_original(self, place: str, volume: Item, claim: Item) -> bool:
        if self._originals is None:
            is_named_after = persistent_volume.is_named_after(volume, claim)
            return not is_named_after and not data_download.has_brought(volume, claim)
        return place in self._originals

    def why_may_not_be_new(self, claim: Item) -> str:
        """Why a claim that names no volume may get an older one; empty if it will get a new one."""
        if named := persistent_volume_claim.volume(claim):
            return f"it names volume {named}"
        for volume in self._by_name.values():
            if persistent_volume.may_be_taken(volume, claim):
                return f"it might be given volume {it.name(volume)}, which is there already"
        return ""


def places(volumes: Iterable[Item]) -> frozenset[str]:
    """The places of volumes in the storage."""
    return frozenset(filter(None, map(persistent_volume.place, volumes)))
