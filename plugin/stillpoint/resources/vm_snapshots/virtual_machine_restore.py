"""VirtualMachineRestore (snapshot.kubevirt.io/v1beta1): a machine from a snapshot by KubeVirt.

Source: pkg/storage/snapshot/restore.go and pkg/storage/admitters/vmrestore.go of KubeVirt v1.9.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource(
    "snapshot.kubevirt.io", "v1beta1", "virtualmachinerestores", "VirtualMachineRestore"
)
STOP_TARGET, WAIT_GRACE_PERIOD = "StopTarget", "WaitGracePeriod"
FAIL_IMMEDIATE, WAIT_EVENTUALLY = "FailImmediate", "WaitEventually"
READINESS_POLICIES = (STOP_TARGET, WAIT_GRACE_PERIOD, FAIL_IMMEDIATE, WAIT_EVENTUALLY)
GRACE_PERIOD_S = 300
"""KubeVirt waits so long for a target to be off, and no field changes it."""

RANDOMIZE_NAMES, IN_PLACE, PREFIX_TARGET_NAME = "RandomizeNames", "InPlace", "PrefixTargetName"
VOLUME_POLICIES = (RANDOMIZE_NAMES, IN_PLACE, PREFIX_TARGET_NAME)
OWNERSHIP_POLICIES = ("Vm", "None")


class RestoredVolume(NamedTuple):
    """A volume that a restore brings back.

    Attributes:
        claim: name of the new claim.
        data_volume: name of its DataVolume; empty if there is none.
    """

    volume: str
    claim: str
    data_volume: str


def manifest(namespace: str, name: str, target: str, snapshot: str, specification: Item) -> Item:
    """A new restore of a snapshot into a machine of the same namespace.

    Args:
        specification: further fields of the specification.
    """
    return {
        "apiVersion": f"{RESOURCE.group}/{RESOURCE.version}",
        "kind": RESOURCE.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "target": {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": target},
            "virtualMachineSnapshotName": snapshot,
            **specification,
        },
    }


def target(restore: Item) -> str:
    """Name of the machine that the restore writes."""
    return it.text(restore, "spec", "target", "name")


def snapshot(restore: Item) -> str:
    """Name of the snapshot that the restore is from."""
    return it.text(restore, "spec", "virtualMachineSnapshotName")


def is_complete(restore: Item) -> bool:
    """True if the target has been written."""
    return it.flag(restore, "status", "complete")


def has_failed(restore: Item) -> bool:
    """True if KubeVirt has given the restore up; other errors KubeVirt tries again."""
    conditions = it.sequence(restore, "status", "conditions")
    return any(it.text(one, "type") == "Failure" for one in conditions)


def trouble(restore: Item) -> str:
    """KubeVirt's reason why the restore is not complete, or its last step; may be empty."""
    reasons = {
        it.text(one, "type"): it.text(one, "reason") or it.text(one, "message")
        for one in it.sequence(restore, "status", "conditions")
    }
    said = (reasons.get(one, "") for one in ("Failure", "Progressing", "Ready"))
    return "; ".join(dict.fromkeys(filter(None, said)))


def volumes(restore: Item) -> Iterator[RestoredVolume]:
    """The volumes of the restore, each with its new claim."""
    for one in it.sequence(restore, "status", "restores"):
        yield RestoredVolume(
            it.text(one, "volumeName"),
            it.text(one, "persistentVolumeClaim"),
            it.text(one, "dataVolumeName"),
        )


def deleted_data_volumes(restore: Item) -> Sequence[str]:
    """Names of the target's former DataVolumes, which the restore deletes."""
    return it.texts(restore, "status", "deletedDataVolumes")


def restored_at(restore: Item) -> datetime | None:
    """The time of completion; None before that."""
    return it.time(restore, "status", "restoreTime")
