"""Snapshots of claims that are left to Velero, whose own action comes before this plugin's.

All go by the backup's volume policies, but not by those of one moment: Velero's server has those of
the beginning, its action reads the ConfigMap again for each claim, and takes a snapshot only if
both want it (v1.18: executeActions in pkg/backup/item_backupper.go, and
pkg/backup/actions/csi/pvc_action.go); this plugin has those of its first look. Edited meanwhile,
they may leave a disk to the other one on both sides, and the backup would be complete without it.
"""

from stillpoint.actions import policies
from stillpoint.actions.backup.snapshots.taking import ATTEMPT
from stillpoint.model import item as it
from stillpoint.model.errors import SnapshotFailed
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import claim_data

_HINT = "was the ConfigMap of the policies edited meanwhile? back up again"


def check(claim: Item, context: BackupContext) -> None:
    """Checks that Velero has taken the snapshot of a claim that the policies leave to it.

    Args:
        claim: as Velero's action leaves it.

    Raises:
        SnapshotFailed: nobody has.
    """
    if claim_data.is_there(claim) or not context.has_csi or not context.backup.policies:
        return
    if not context.is_observed:
        return  # a rehearsal's Velero comes after this plugin
    if _is_of_csi(claim, context) and policies.is_left_to_velero(claim, context):
        cause = "Velero, to which the policies that this plugin has read leave it, has taken none"
        raise SnapshotFailed(it.describe(claim), ATTEMPT, cause, _HINT)


def _is_of_csi(claim: Item, context: BackupContext) -> bool:
    if not persistent_volume_claim.is_bound(claim):
        return False
    name = persistent_volume_claim.volume(claim)
    volume = context.cluster.get(persistent_volume.RESOURCE, "", name) or {}
    return bool(persistent_volume.csi_driver(volume))
