"""The fate of a volume's data: snapshot by Velero or the plugin, copy of its files, or nothing.

Sources: internal/volumehelper, pkg/util/podvolume and pkg/podvolume of Velero v1.18.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.velero.volumes import snapshotter
from stillpoint.velero.volumes.policy import Fate, Policy, VolumePolicy

_OPTED_IN = "backup.velero.io/backup-volumes"
_OPTED_OUT = "backup.velero.io/backup-volumes-excludes"


def moves_data(backup: Item) -> bool:
    """True if a data mover takes the data of snapshots into the object store."""
    return it.mapping(backup, "spec").get("snapshotMoveData") is True


def has_builtin_mover(backup: Item) -> bool:
    """True if the data mover, where there is one, is Velero's own: its node agent.

    Source: IsBuiltInUploader in pkg/datamover/util.go of Velero v1.18.
    """
    return it.text(backup, "spec", "datamover") in ("", "velero")


def has_native_snapshots(backup: Item) -> bool:
    """True if an ended backup has snapshots of Velero's volume snapshotters, not of CSI."""
    return bool(it.mapping(backup, "status").get("volumeSnapshotsAttempted"))


def copies_files(backup: Item) -> bool:
    """True if volumes of pods are copied file by file unless an annotation says otherwise."""
    fields = ("defaultVolumesToFsBackup", "defaultVolumesToRestic")
    return any(it.mapping(backup, "spec").get(field) is True for field in fields)


def copies_volume(backup: Item, pod: Item, claim: str) -> bool:
    """True if Velero copies a claim file by file because a running pod mounts it.

    Volume policies come before this. Source: pkg/util/podvolume of Velero v1.18.
    """
    names = [
        it.text(volume, "name")
        for volume in it.sequence(pod, "spec", "volumes")
        if it.text(volume, "persistentVolumeClaim", "claimName") == claim
    ]
    chosen = _OPTED_OUT if copies_files(backup) else _OPTED_IN
    listed = str(it.annotations(pod).get(chosen, "")).split(",")
    return any((name in listed) is not copies_files(backup) for name in names)


def brings_back(backup: Item, claim: str, pod: Item, *, is_by_policy: bool) -> bool:
    """True if Velero copies the files of a claim through this pod, which mounts it.

    Velero puts files back through the pod of the copy, if that is restored.

    Args:
        is_by_policy: a policy has decided that the files are copied, through whatever pod.
    """
    is_running = it.text(pod, "status", "phase") == "Running"
    return is_running and (is_by_policy or copies_volume(backup, pod, claim))


def group_snapshot_label(backup: Item) -> str:
    """The label whose value joins claims into one group snapshot.

    The default is Velero's; a server's flag may name another.
    """
    key = it.text(backup, "spec", "volumeGroupSnapshotLabelKey")
    return key or "velero.io/volume-group"


def shows_uid(backup: Item, claim: Item) -> bool:
    """True if Velero's own snapshot of the claim is of a group, which shows the Backup's uid.

    Velero labels the VolumeGroupSnapshot and its members with it, in the claim's namespace
    (pkg/backup/actions/csi/pvc_action.go of v1.17 and v1.18).
    """
    key = it.text(backup, "spec", "volumeGroupSnapshotLabelKey")
    return bool(key and it.labels(claim).get(key))


@dataclass(frozen=True, slots=True)
class Fates:
    """The fates of a backup's volumes: policies first, then pods' annotations, then the Backup.

    Source: internal/volumehelper/volume_policy_helper.go of Velero v1.18.

    Attributes:
        backup: the Backup object.
        policy: all its policies.
        volume: gives the PersistentVolume of a name; called only where a policy may need it.
        pods: gives the pods that mount a claim, ended ones too.
    """

    backup: Item
    policy: Policy
    volume: Callable[[str], Item | None]
    pods: Callable[[Item], Iterable[Item]]

    def of(self, claim: Item) -> Fate:
        """The fate of the data of a claim in the backup.

        A fate is the plugin's own only where Velero takes no snapshot and copies no files.

        Raises:
            Refusal: a policy or the Backup asks the plugin for what it cannot do.
        """
        if decided := self.by_policy(claim):
            return decided
        if any(copies_volume(self.backup, pod, it.name(claim)) for pod in self.pods(claim)):
            return Fate.FILE_SYSTEM
        if snapshotter.takes_snapshots(self.backup):
            return Fate.SNAPSHOT
        return Fate.OWN if snapshotter.takes_rest(self.backup) else Fate.SKIP

    def by_policy(self, claim: Item) -> Fate | None:
        """The fate by a volume policy; None without a policy for the claim.

        Raises:
            Refusal: the policy asks the plugin for what it cannot do.
        """
        policy = self._policy(claim)
        return policy.fate if policy else None

    def is_own(self, claim: Item) -> bool:
        """True if the plugin takes a snapshot of the claim; lists nothing where it takes none.

        Raises:
            Refusal: as `of`.
        """
        if decided := self.by_policy(claim):
            return decided is Fate.OWN
        return snapshotter.takes_rest(self.backup) and self.of(claim) is Fate.OWN

    def is_grouped(self, claim: Item) -> bool:
        """True if a policy asks for a group snapshot of the claim and the guest's other disks.

        Raises:
            Refusal: the policy asks the plugin for what it cannot do.
        """
        policy = self._policy(claim)
        return policy is not None and policy.is_grouped

    def _policy(self, claim: Item) -> VolumePolicy | None:
        """The policy that decides about a claim.

        To Velero a claim that is not bound has no volume, whatever its volumeName (GetPVForPVC in
        pkg/util/kube/pvc_pv.go).
        """
        if not self.policy.volumes:
            return None
        is_bound = it.text(claim, "status", "phase") == "Bound"
        name = it.text(claim, "spec", "volumeName") if is_bound else ""
        return self.policy.matching(claim, (self.volume(name) if name else None) or {})

    def are_brought_back(self, claim: Item, pods: Iterable[Item]) -> bool:
        """True if the copied files of a claim come back with any of these restored pods."""
        is_by_policy = self.by_policy(claim) is not None
        return any(
            brings_back(self.backup, it.name(claim), pod, is_by_policy=is_by_policy) for pod in pods
        )
