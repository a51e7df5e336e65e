"""The product: every action under its name, kind by kind.

A kind is imported at Velero's first call, so that a backup never loads the restore's code, and no
start waits for either.

Pods have no backup action: their item block brings all that belongs to them, and each action costs
a call per object, a millisecond of every backup.
"""

from collections.abc import Sequence

from stillpoint.calls.action import BackupEntry, ItemBlockEntry, RestoreEntry


def backup() -> Sequence[BackupEntry]:
    """Actions for items before they go into the archive."""
    from stillpoint.actions.backup import (  # noqa: PLC0415
        data_volume,
        one_shot_resource,
        persistent_volume,
        persistent_volume_claim,
        virtual_machine,
        virtual_machine_instance,
        virtual_machine_instance_replica_set,
        virtual_machine_pool,
        volume_snapshot,
    )

    return (
        BackupEntry("stillpoint.dev/backup-virtual-machine", virtual_machine),
        BackupEntry("stillpoint.dev/backup-virtual-machine-instance", virtual_machine_instance),
        BackupEntry(
            "stillpoint.dev/backup-virtual-machine-instance-replica-set",
            virtual_machine_instance_replica_set,
        ),
        BackupEntry("stillpoint.dev/backup-virtual-machine-pool", virtual_machine_pool),
        BackupEntry("stillpoint.dev/backup-data-volume", data_volume),
        BackupEntry("stillpoint.dev/backup-persistent-volume-claim", persistent_volume_claim),
        BackupEntry("stillpoint.dev/backup-persistent-volume", persistent_volume),
        BackupEntry("stillpoint.dev/backup-volume-snapshot", volume_snapshot),
        BackupEntry("stillpoint.dev/backup-action-object", one_shot_resource),
    )


def item_block() -> Sequence[ItemBlockEntry]:
    """Actions for items that share a freeze."""
    from stillpoint.actions.item_block import (  # noqa: PLC0415
        data_volume,
        pod,
        virtual_machine,
        virtual_machine_instance,
    )

    return (
        ItemBlockEntry("stillpoint.dev/item-block-virtual-machine", virtual_machine),
        ItemBlockEntry(
            "stillpoint.dev/item-block-virtual-machine-instance", virtual_machine_instance
        ),
        ItemBlockEntry("stillpoint.dev/item-block-pod", pod),
        ItemBlockEntry("stillpoint.dev/item-block-data-volume", data_volume),
    )


def restore() -> Sequence[RestoreEntry]:
    """Actions for items of the archive before they are created."""
    from stillpoint.actions.restore import (  # noqa: PLC0415
        controller_revision,
        data_volume,
        one_shot_resource,
        other,
        persistent_volume_claim,
        pod,
        virtual_machine,
        virtual_machine_instance,
        virtual_machine_pool,
        volume_snapshot,
        volume_snapshot_content,
    )

    own = (
        RestoreEntry("stillpoint.dev/restore-virtual-machine", virtual_machine),
        RestoreEntry("stillpoint.dev/restore-virtual-machine-instance", virtual_machine_instance),
        RestoreEntry("stillpoint.dev/restore-virtual-machine-pool", virtual_machine_pool),
        RestoreEntry("stillpoint.dev/restore-controller-revision", controller_revision),
        RestoreEntry("stillpoint.dev/restore-pod", pod),
        RestoreEntry("stillpoint.dev/restore-data-volume", data_volume),
        RestoreEntry("stillpoint.dev/restore-persistent-volume-claim", persistent_volume_claim),
        RestoreEntry("stillpoint.dev/restore-volume-snapshot", volume_snapshot),
        RestoreEntry("stillpoint.dev/restore-volume-snapshot-content", volume_snapshot_content),
        RestoreEntry("stillpoint.dev/restore-action-object", one_shot_resource),
    )
    rest = other.Other.beside(entry.action.APPLIES_TO for entry in own)
    return (*own, RestoreEntry("stillpoint.dev/restore-other", rest))
