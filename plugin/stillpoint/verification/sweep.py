"""A last look at the storage, once for a run: have all volumes and snapshot objects gone?"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.errors import ReadFailed
from stillpoint.model.reader import Reader
from stillpoint.resources.disks import persistent_volume, volume_snapshot_content
from stillpoint.velero.volumes import data_download
from stillpoint.verification import data_downloads

LONGEST_S = 30.0
"""The storage frees a volume some seconds after its claim has gone."""

_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """Looks for what is left of scratch namespaces.

    Attributes:
        names: of the namespaces, and of their Restores.
        velero: the namespace in which a data mover works; empty if it has nothing to do.
    """

    cluster: Reader
    clock: Clock
    names: Collection[str]
    velero: str = ""

    def run(self) -> Sequence[str]:
        """All that is still there after a while, and how to look at it."""
        if not self.names:
            return ()
        latest = self.clock.now() + timedelta(seconds=LONGEST_S)
        while True:
            try:
                left = [*self._volumes(), *self._contents(), *self._downloads()]
            except ReadFailed as error:
                return (f"whether volumes are left is not known: {error}",)
            if not left or self.clock.now() >= latest:
                return left
            self.clock.sleep(_PAUSE_S)

    def _volumes(self) -> Iterator[str]:
        for volume in self.cluster.list(persistent_volume.RESOURCE, ""):
            namespace, claim = persistent_volume.claim(volume)
            if namespace in self.names or (namespace == self.velero and self._is_ours(claim)):
                name = it.name(volume)
                yield (
                    f"volume {name} of claim {namespace}/{claim} is still there; "
                    f"HINT: oc get persistentvolume {name}"
                )

    def _contents(self) -> Iterator[str]:
        for content in self.cluster.list(volume_snapshot_content.RESOURCE, ""):
            if volume_snapshot_content.snapshot(content).namespace not in self.names:
                continue
            name = it.name(content)
            yield (
                f"VolumeSnapshotContent {name} is still there; "
                f"HINT: oc get volumesnapshotcontent {name}"
            )

    def _downloads(self) -> Sequence[str]:
        if not self.velero:
            return ()
        found = data_downloads.find_all(self.cluster, self.velero)
        return [
            f"{it.describe(one)} is still there; HINT: oc get datadownloads -n {self.velero}"
            for one in found
            if data_download.restore_name(one) in self.names
        ]

    def _is_ours(self, claim: str) -> bool:
        """True of a claim of the data mover's own, which has the name of its DataDownload."""
        return any(claim.startswith(f"{name}-") for name in self.names)
