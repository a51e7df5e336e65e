"""A disk that is of another item block is left to that block, in which its guest stands still."""

from stillpoint.actions.backup import data_volume
from stillpoint.actions.backup import virtual_machine as action
from stillpoint.actions.item_block import data_volume as disk_block
from stillpoint.actions.item_block import pod as pod_block
from stillpoint.actions.item_block import virtual_machine as block
from stillpoint.model.item import Item
from stillpoint.velero.context import BackupContext
from tests.unit.contexts import backup_context
from tests.unit.dictionary_reader import DictionaryReader

BY_LABEL: Item = {"spec": {"labelSelector": {"matchLabels": {"backup": "yes"}}}}
"""Velero has by itself nothing that a machine names."""

SHARED = "persistentvolumeclaims shop/shared"
LAUNCHER: Item = {
    "kind": "Pod",
    "metadata": {
        "name": "virt-launcher-db-x",
        "namespace": "shop",
        "labels": {"kubevirt.io": "virt-launcher"},
        "ownerReferences": [{"kind": "VirtualMachineInstance", "name": "db"}],
    },
    "spec": {"volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "shared"}}]},
    "status": {"phase": "Running"},
}
STANDBY: Item = {
    "kind": "VirtualMachine",
    "metadata": {"name": "standby", "namespace": "shop", "labels": {"backup": "yes"}},
    "spec": {
        "template": {
            "spec": {
                "domain": {"devices": {}},
                "volumes": [
                    {"name": "root", "persistentVolumeClaim": {"claimName": "own"}},
                    {"name": "disk", "persistentVolumeClaim": {"claimName": "shared"}},
                ],
            }
        }
    },
}
"""Stopped; it shares a disk with the running guest."""


def claim(name: str) -> Item:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop"},
        "status": {"phase": "Bound"},
    }


def context() -> BackupContext:
    """Of a process that has helped to build no item block."""
    return backup_context(BY_LABEL, DictionaryReader([LAUNCHER, claim("own"), claim("shared")]))


def brought(of: BackupContext) -> list[str]:
    return [str(each) for each in action.execute(STANDBY, of).additional]


def test_a_machine_leaves_the_disk_of_a_guest_to_the_block_of_that_guest() -> None:
    of = context()
    pod_block.related_items(LAUNCHER, of)
    block.related_items(STANDBY, of)
    assert brought(of) == ["persistentvolumeclaims shop/own"]


def test_a_machine_brings_what_is_in_its_own_block() -> None:
    of = context()
    block.related_items(STANDBY, of)
    assert SHARED in brought(of)


def test_a_process_that_knows_no_block_has_each_machine_bring_its_disks() -> None:
    assert SHARED in brought(context())


def test_a_block_of_a_machine_that_is_not_known_is_another_one() -> None:
    """The process was started again while Velero built the blocks."""
    of = context()
    pod_block.related_items(LAUNCHER, of)
    assert SHARED not in brought(of)


def test_a_data_volume_leaves_its_claim_to_the_block_of_the_guest_that_has_the_claim_alone() -> (
    None
):
    filled: Item = {
        "kind": "DataVolume",
        "metadata": {"name": "shared", "namespace": "shop", "labels": {"backup": "yes"}},
        "status": {"phase": "Succeeded"},
    }
    of = context()
    disk_block.related_items(filled, of)
    assert [str(each) for each in data_volume.execute(filled, of).additional] == [SHARED]
    of = context()
    pod_block.related_items(LAUNCHER, of)
    disk_block.related_items(filled, of)
    assert not data_volume.execute(filled, of).additional
