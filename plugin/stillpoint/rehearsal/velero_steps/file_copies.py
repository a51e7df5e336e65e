"""PodVolumeBackups that Velero would make of a backup's claims: files, through pods that run.

Source: BackupPodVolumes in pkg/podvolume/backupper.go of Velero v1.15 to v1.18.
"""

from collections.abc import Container, Iterable, Mapping

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps import snapshots
from stillpoint.rehearsal.velero_steps.backup import BackupContents
from stillpoint.rehearsal.velero_steps.selection import Selection
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import pod
from stillpoint.velero.volumes import pod_volume
from stillpoint.velero.volumes.fates import Fates
from stillpoint.velero.volumes.policy import Fate


def assumed(
    backup: BackupContents, selection: Selection, request: Item, namespace: str
) -> Mapping[Reference, Item]:
    """The PodVolumeBackups by which the files of claims come back, as if all were completed.

    Args:
        namespace: Velero's.
    """
    mounting = snapshots.mounting(selection)
    fates = snapshots.fates_of(selection, request, mounting)
    found = {}
    for reference in backup.stored:
        if not reference.is_of(persistent_volume_claim.RESOURCE):
            continue
        claim, pods = selection.cluster[reference], mounting.get(reference, ())
        if used := through(claim, pods, backup.stored, fates):
            named = reference.namespace, reference.name
            copy = pod_volume.new(it.name(request), named, it.name(used), "Completed", "assumed")
            found[pod_volume.BACKUP.named(namespace, it.name(copy))] = copy
    return found


def through(
    claim: Item, mounting: Iterable[Item], stored: Container[Reference], fates: Fates
) -> Item | None:
    """The pod of the backup through which the files of a claim are copied and come back, if any.

    Velero copies a claim once: where a pod of KubeVirt mounts it too, another counts as the one.

    Args:
        mounting: the pods that mount the claim.
    """
    if persistent_volume_claim.is_block(claim) or fates.of(claim) is not Fate.FILE_SYSTEM:
        return None
    for one in mounting:
        is_stored = pod.RESOURCE.named(*it.identify(one)) in stored
        if is_stored and not pod.is_of_machine(one) and fates.are_brought_back(claim, [one]):
            return one
    return None
