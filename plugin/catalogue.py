"""The product in one tuple: every action under its name.

Pods have no backup action: their item block brings all that belongs to them, and each action costs
a call per object, a millisecond of every backup.
"""

from plugin.actions.backup import action_object as backup_action_object
from plugin.actions.backup import data_volume as backup_data_volume
from plugin.actions.backup import persistent_volume_claim as backup_persistent_volume_claim
from plugin.actions.backup import virtual_machine as backup_virtual_machine
from plugin.actions.backup import virtual_machine_instance as backup_virtual_machine_instance
from plugin.actions.backup import (
    virtual_machine_instance_replica_set as backup_virtual_machine_instance_replica_set,
)
from plugin.actions.backup import virtual_machine_pool as backup_virtual_machine_pool
from plugin.actions.backup import volume_snapshot as backup_volume_snapshot
from plugin.actions.item_block import data_volume as item_block_data_volume
from plugin.actions.item_block import pod as item_block_pod
from plugin.actions.item_block import virtual_machine as item_block_virtual_machine
from plugin.actions.item_block import (
    virtual_machine_instance as item_block_virtual_machine_instance,
)
from plugin.actions.restore import action_object as restore_action_object
from plugin.actions.restore import data_volume as restore_data_volume
from plugin.actions.restore import other as restore_other
from plugin.actions.restore import persistent_volume_claim as restore_persistent_volume_claim
from plugin.actions.restore import pod as restore_pod
from plugin.actions.restore import virtual_machine as restore_virtual_machine
from plugin.actions.restore import virtual_machine_instance as restore_virtual_machine_instance
from plugin.actions.restore import volume_snapshot as restore_volume_snapshot
from plugin.wire.action import BackupEntry, Entry, ItemBlockEntry, RestoreEntry

ENTRIES: tuple[Entry, ...] = (
    BackupEntry("stillpoint.dev/backup-virtual-machine", backup_virtual_machine),
    BackupEntry("stillpoint.dev/backup-virtual-machine-instance", backup_virtual_machine_instance),
    BackupEntry(
        "stillpoint.dev/backup-virtual-machine-instance-replica-set",
        backup_virtual_machine_instance_replica_set,
    ),
    BackupEntry("stillpoint.dev/backup-virtual-machine-pool", backup_virtual_machine_pool),
    BackupEntry("stillpoint.dev/backup-data-volume", backup_data_volume),
    BackupEntry("stillpoint.dev/backup-persistent-volume-claim", backup_persistent_volume_claim),
    BackupEntry("stillpoint.dev/backup-volume-snapshot", backup_volume_snapshot),
    BackupEntry("stillpoint.dev/backup-action-object", backup_action_object),
    ItemBlockEntry("stillpoint.dev/item-block-virtual-machine", item_block_virtual_machine),
    ItemBlockEntry(
        "stillpoint.dev/item-block-virtual-machine-instance", item_block_virtual_machine_instance
    ),
    ItemBlockEntry("stillpoint.dev/item-block-pod", item_block_pod),
    ItemBlockEntry("stillpoint.dev/item-block-data-volume", item_block_data_volume),
    RestoreEntry("stillpoint.dev/restore-virtual-machine", restore_virtual_machine),
    RestoreEntry(
        "stillpoint.dev/restore-virtual-machine-instance", restore_virtual_machine_instance
    ),
    RestoreEntry("stillpoint.dev/restore-pod", restore_pod),
    RestoreEntry("stillpoint.dev/restore-data-volume", restore_data_volume),
    RestoreEntry("stillpoint.dev/restore-persistent-volume-claim", restore_persistent_volume_claim),
    RestoreEntry("stillpoint.dev/restore-volume-snapshot", restore_volume_snapshot),
    RestoreEntry("stillpoint.dev/restore-action-object", restore_action_object),
    RestoreEntry("stillpoint.dev/restore-other", restore_other),
)
