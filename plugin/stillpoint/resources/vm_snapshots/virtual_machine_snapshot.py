"""VirtualMachineSnapshot (snapshot.kubevirt.io/v1beta1), KubeVirt's own snapshot of a machine.

Source: pkg/storage/snapshot of KubeVirt v1.9, and of v1.5 to v1.8 where these differ.
"""

from collections.abc import Sequence
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource(
    "snapshot.kubevirt.io", "v1beta1", "virtualmachinesnapshots", "VirtualMachineSnapshot"
)
GATE = "Snapshot"
"""KubeVirt's feature gate, without which its webhook refuses snapshots and restores."""

DEFAULT_DEADLINE = "5m"
"""KubeVirt fails a snapshot that has no deadline of its own after this time."""

SUCCEEDED, FAILED, DELETING = "Succeeded", "Failed", "Deleting"


def manifest(namespace: str, name: str, machine: str, deadline: str, policy: str) -> Item:
    """A new snapshot of a machine of the same namespace.

    Args:
        deadline: a duration with a unit, as the API takes it; empty for KubeVirt's default.
        policy: `Delete` or `Retain`; empty for KubeVirt's default, `Delete`.
    """
    specification: Item = {
        "source": {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": machine}
    }
    if deadline:
        specification["failureDeadline"] = deadline
    if policy:
        specification["deletionPolicy"] = policy
    return {
        "apiVersion": f"{RESOURCE.group}/{RESOURCE.version}",
        "kind": RESOURCE.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": specification,
    }


def machine(snapshot: Item) -> str:
    """Name of the machine that the snapshot is of."""
    return it.text(snapshot, "spec", "source", "name")


def machine_uid(snapshot: Item) -> str:
    """Uid of the machine that the snapshot was taken of; empty if the status does not say."""
    return it.text(snapshot, "status", "sourceUID")


def phase(snapshot: Item) -> str:
    """`InProgress`, `Succeeded`, `Failed`, `Deleting`, `Unknown`; empty without a status."""
    return it.text(snapshot, "status", "phase")


def is_ready(snapshot: Item) -> bool:
    """True if KubeVirt says that a restore can use the snapshot."""
    return it.flag(snapshot, "status", "readyToUse")


def deadline(snapshot: Item) -> str:
    """The duration after which KubeVirt fails the snapshot, as it is written there."""
    return it.text(snapshot, "spec", "failureDeadline") or DEFAULT_DEADLINE


def retains_content(snapshot: Item) -> bool:
    """True if the content and its disks' snapshots outlive the snapshot."""
    return it.text(snapshot, "spec", "deletionPolicy") == "Retain"


def content(snapshot: Item) -> str:
    """Name of the snapshot's content; empty as long as there is none."""
    return it.text(snapshot, "status", "virtualMachineSnapshotContentName")


def taken_at(snapshot: Item) -> datetime | None:
    """The time at which KubeVirt noted that all disks were taken; None before that."""
    return it.time(snapshot, "status", "creationTime")


def indications(snapshot: Item) -> Sequence[tuple[str, str]]:
    """KubeVirt's words about the guest, each with KubeVirt's sentence, which may be empty.

    From the field of v1.8 and newer and from the deprecated one, each word once.
    """
    found = {
        it.text(one, "indication"): it.text(one, "message")
        for one in it.sequence(snapshot, "status", "sourceIndications")
    }
    for word in it.texts(snapshot, "status", "indications"):
        found.setdefault(word, "")
    return sorted(found.items())


def has_volumes(snapshot: Item) -> bool:
    """True if the status says which volumes are in the snapshot and which are not."""
    return "snapshotVolumes" in it.mapping(snapshot, "status")


def included(snapshot: Item) -> Sequence[str]:
    """Names of the machine's volumes that are in the snapshot."""
    return it.texts(snapshot, "status", "snapshotVolumes", "includedVolumes")


def excluded(snapshot: Item) -> Sequence[str]:
    """Names of the machine's volumes that are not in the snapshot."""
    return it.texts(snapshot, "status", "snapshotVolumes", "excludedVolumes")


def error(snapshot: Item) -> str:
    """KubeVirt's last error; may be empty, also of a failed snapshot."""
    return it.text(snapshot, "status", "error", "message")


def trouble(snapshot: Item) -> str:
    """The error and what the conditions say, for people; may be empty."""
    reasons = {
        it.text(one, "type"): it.text(one, "reason") or it.text(one, "message")
        for one in it.sequence(snapshot, "status", "conditions")
    }
    said = (error(snapshot), *(reasons.get(each, "") for each in ("Failure", "Progressing")))
    return "; ".join(dict.fromkeys(filter(None, said)))
