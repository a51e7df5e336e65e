"""The claims of a restored machine: all were restored with their bytes, and proven to be new.

KubeVirt makes a DataVolume that a machine names and that is missing, also for a halted one, and CDI
fills its claim from the image that the original was once made of: a guest boots from that, too.
A claim without a source becomes an empty disk, which is bound as well: so each has to have a
snapshot, a data mover or a restored volume that its bytes come from.
"""

import functools
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim, storage_class
from stillpoint.velero import marks
from stillpoint.velero.volumes import claim_data, data_download
from stillpoint.verification import data_downloads
from stillpoint.verification.disks import Volumes
from stillpoint.verification.ending import Ended
from stillpoint.verification.scratch import Scratch
from stillpoint.verification.waiting import TimedOut, Waiting


class Arrival:
    """Waits for the claims of one machine.

    Args:
        originals: places of the volumes that the backup was taken of.
        namespace: the scratch namespace.
        names: of the claims that the guest's disks need.
    """

    def __init__(
        self,
        waiting: Waiting,
        scratch: Scratch,
        originals: Collection[str],
        namespace: Item,
        names: Sequence[str],
    ) -> None:
        self._waiting = waiting
        self._scratch = scratch
        self._originals = originals
        self._since = it.creation_time(namespace) or datetime.max.replace(tzinfo=UTC)
        self._names = names
        self._downloads: Sequence[Item] = ()
        self._binds_late: dict[str, bool] = {}  # by the name of a StorageClass
        self.are_bound = False

    def require_new(self) -> None:
        """Returns when no claim can be anybody else's disk; one may wait for its first consumer.

        Raises:
            Ended: a claim was not restored, or not its bytes, is not bound in time, or may be
                somebody else's disk.
            Interrupted: the run is to end.
            ReadFailed: a request failed.
        """
        needed, others = self._read()
        if any(map(data_download.is_awaited_by, needed)):
            found = data_downloads.find(self._waiting.cluster, self._scratch)
            data_downloads.require(found, needed)
            self._downloads = data_downloads.into(found, needed)
        claims = [self._arrived(one) for one in needed]
        self._prove(claims, others)
        self.are_bound = all(map(persistent_volume_claim.is_bound, claims))

    @property
    def to_come(self) -> Sequence[Callable[[Waiting], None]]:
        """Waits for the bytes of each claim that a data mover fills; see `data_downloads.wait`."""
        wait = data_downloads.wait
        return [functools.partial(wait, download=one) for one in self._downloads]

    def require_bound(self) -> None:
        """As `require_new`, of a guest that runs, when all is there that was `to_come`.

        Raises:
            Ended: see `require_new`.
            ReadFailed: a request failed.
        """
        needed, others = self._read()
        if unbound := [it.name(one) for one in needed if not persistent_volume_claim.is_bound(one)]:
            raise Ended(f"its guest runs without these claims: {listing(unbound)}", is_tried=False)
        self._prove(needed, others)
        self.are_bound = True

    def obstacles(self) -> Sequence[str]:
        """Why disks are not there yet, in words.

        Raises:
            ReadFailed: a request failed.
        """
        if self.are_bound:
            return ()
        cluster = self._waiting.cluster
        claims = cluster.list(kinds.CLAIM, self._scratch.name)
        unbound = [one for one in claims if not persistent_volume_claim.is_bound(one)]
        said = [f"claim {it.name(one)} is {persistent_volume_claim.phase(one)}" for one in unbound]
        found = data_downloads.find(cluster, self._scratch) if self._downloads else ()
        return [*said, *data_downloads.states(data_downloads.into(found, claims))]

    def _read(self) -> tuple[Sequence[Item], Sequence[Item]]:
        """The claims that the disks need, and all others: a volume of any kind may name one."""
        found = self._waiting.cluster.list(kinds.CLAIM, self._scratch.name)
        restored = {it.name(one): one for one in found if self._is_restored(one)}
        if missing := [name for name in self._names if name not in restored]:
            made = [it.name(one) for one in found if it.name(one) in missing]
            beside = f"; not by the Restore: {listing(made)}" if made else ""
            raise Ended(f"claims are missing: {listing(missing)}{beside}")
        others = [one for one in found if it.name(one) not in self._names]
        return [restored[name] for name in self._names], others

    def _is_restored(self, claim: Item) -> bool:
        """True if the Restore created the claim, and nobody is to fill it from elsewhere.

        CDI gives the claims that it makes the labels of their DataVolumes, and its own source.
        """
        is_of_this = marks.is_of_restore(claim, self._scratch.name)
        return is_of_this and not persistent_volume_claim.is_filled_by_cdi(claim)

    def _arrived(self, claim: Item) -> Item:
        """The claim when it is bound and filled, or as it is if that takes a consumer."""
        is_bound = persistent_volume_claim.is_bound(claim)
        if not is_bound and self._waits_for_consumer(claim):
            return claim
        for download in data_downloads.into(self._downloads, [claim]):
            data_downloads.wait(self._waiting, download)
        if is_bound:
            return claim
        object_ = kinds.CLAIM, self._scratch.name, it.name(claim)
        try:
            return self._waiting.awaited(object_, persistent_volume_claim.is_bound)
        except TimedOut as error:
            phase = persistent_volume_claim.phase(error.last or claim)
            raise Ended(f"claim {it.name(claim)} was not bound in time: {phase}") from error

    def _waits_for_consumer(self, claim: Item) -> bool:
        name = persistent_volume_claim.storage_class(claim)
        if name and name not in self._binds_late:
            found = self._waiting.cluster.get(storage_class.RESOURCE, "", name)
            is_late = found is not None and storage_class.binds_at_first_use(found)
            self._binds_late[name] = is_late
        return self._binds_late.get(name, False)

    def _prove(self, needed: Sequence[Item], others: Sequence[Item]) -> None:
        items = self._waiting.cluster.list(persistent_volume.RESOURCE, "")
        volumes = Volumes(items, self._originals, self._since)
        if empty := [it.name(one) for one in needed if not self._has_source(one, volumes)]:
            raise Ended(f"the Restore brought no bytes for these claims: {listing(empty)}")
        for claim in (*needed, *others):
            is_bound = persistent_volume_claim.is_bound(claim)
            why = (volumes.why_not_new if is_bound else volumes.why_may_not_be_new)(claim)
            if why:
                raise Ended(
                    f"it must not run, for of claim {it.name(claim)}: {why}", is_tried=False
                )

    def _has_source(self, claim: Item, volumes: Volumes) -> bool:
        """True if the bytes of the claim come from the backup; without a source it is empty."""
        snapshot = kinds.VOLUME_SNAPSHOT
        is_from_snapshot = claim_data.source(claim)[:2] == (snapshot.group, snapshot.kind)
        volume = volumes.of(claim)
        is_restored = volume is not None and marks.is_of_restore(volume, self._scratch.name)
        return is_from_snapshot or is_restored or data_download.is_awaited_by(claim)
