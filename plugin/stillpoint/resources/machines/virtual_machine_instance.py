"""VirtualMachineInstance: a guest that runs, or is about to (kubevirt.io/v1)."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources import references as references_of
from stillpoint.resources.disks import volume
from stillpoint.resources.machines import guest

RESOURCE = Resource("kubevirt.io", "v1", "virtualmachineinstances", "VirtualMachineInstance")

SUBRESOURCES = RESOURCE._replace(group="subresources.kubevirt.io")
"""What KubeVirt does with an instance on request, behind the API server."""

IS_OWNED = "cdi.kubevirt.io/velero.isOwned"
"""Annotation of a stored instance that its owner recreates: it is not restored."""

SKIPS_HOOKS = "kubevirt.io/skip-backup-hooks"
"""Annotation that turns off KubeVirt's freeze hooks."""

OF_THIS_RUN = (
    "kubevirt.io/created-by",
    "kubevirt.io/migrationJobUID",
    "kubevirt.io/nodeName",
    "kubevirt.io/migrationTargetNodeName",
    "kubevirt.io/schedulable",
    "kubevirt.io/install-strategy",
)
"""Labels that KubeVirt's webhook refuses on an instance that a user creates."""


def is_owned(instance: Item) -> bool:
    """True if a virtual machine, a replica set or a pool makes this instance."""
    return bool(it.sequence(instance, "metadata", "ownerReferences"))


def machine(instance: Item) -> str:
    """Name of the instance's virtual machine; empty if the instance stands alone."""
    return it.owner(instance, "VirtualMachine")


def phase(instance: Item) -> str:
    """`Pending`, `Scheduling`, `Scheduled`, `Running`, `Succeeded`, `Failed` or `Unknown`."""
    return it.text(instance, "status", "phase")


def is_live(instance: Item) -> bool:
    """True if the guest runs, or a pod on its node is about to start the guest."""
    return it.text(instance, "status", "phase") in ("Scheduled", "Running", "Unknown")


def is_under_way(instance: Item) -> bool:
    """True if the guest has not ended."""
    return phase(instance) not in ("Succeeded", "Failed")


def is_paused(instance: Item) -> bool:
    """True if the guest is paused, and so writes nothing."""
    return _is_true(instance, "Paused")


def is_agent_connected(instance: Item) -> bool:
    """True if QEMU's agent in the guest, which freezes, is connected."""
    return _is_true(instance, "AgentConnected")


def has_agent_all_commands(instance: Item) -> bool:
    """True if the agent has all commands of KubeVirt's own list.

    Source: KubeVirt v1.9, pkg/virt-handler/vm.go; the condition's reason is a free text.
    """
    return not _is_true(instance, "AgentVersionNotSupported")


def is_starting(instance: Item) -> bool:
    """True if the guest is starting, and may not have an agent yet."""
    return it.text(instance, "status", "phase") in ("Pending", "Scheduling", "Scheduled")


def is_migrating(instance: Item) -> bool:
    """True if a live migration goes on: virt-launcher refuses to freeze meanwhile."""
    state = it.mapping(instance, "status", "migrationState")
    return bool(state) and not it.flag(state, "completed") and not it.flag(state, "failed")


def is_frozen(instance: Item) -> bool:
    """True if the guest's filesystems are frozen now: a backup or a snapshot is going on."""
    return it.text(instance, "status", "fsFreezeStatus") == "frozen"


def backup_in_progress(instance: Item) -> str:
    """Name of the VirtualMachineBackup that is at the guest now; empty if there is none.

    KubeVirt sets it before the freeze (v1.9, pkg/storage/cbt/backup.go).
    """
    status = it.mapping(instance, "status", "changedBlockTracking", "backupStatus")
    return "" if it.flag(status, "completed") else it.text(status, "backupName")


def is_windows(instance: Item) -> bool:
    """True if the agent says that the guest is Windows, which freezes by VSS."""
    return it.text(instance, "status", "guestOSInfo", "id") == "mswindows"


def skips_hooks(item: Item) -> bool | None:
    """The annotation that turns off KubeVirt's freeze hooks; None if not set."""
    value = it.annotations(item).get(SKIPS_HOOKS)
    return None if value is None else str(value).lower() in ("1", "t", "true")


def volumes(instance: Item) -> Sequence[Item]:
    """The volumes of the instance, hot-plugged ones too."""
    it.require_mapping(instance, "spec")
    return it.sequence(instance, "spec", "volumes")


def disk_claims(instance: Item) -> Iterator[str]:
    """Names of the claims that the guest writes to, and of those with its state; may come twice."""
    yield from filter(None, map(volume.disk_claim, volumes(instance)))
    yield from state_claims(instance)


def hotplugged_volumes(instance: Item) -> Collection[str]:
    """Names of the volumes that a pod of their own attaches."""
    return {
        it.text(status, "name")
        for status in it.sequence(instance, "status", "volumeStatus")
        if it.mapping(status, "hotplugVolume")
    }


def attachment_pods(instance: Item) -> Iterator[str]:
    """Names of the pods that attach the instance's hot-plugged disks to the node."""
    for status in it.sequence(instance, "status", "volumeStatus"):
        if pod := it.text(status, "hotplugVolume", "attachPodName"):
            yield pod


def attachment_pod_uids(instance: Item) -> Iterator[str]:
    """The uids of the pods that attach the instance's hot-plugged disks, and are ready."""
    for status in it.sequence(instance, "status", "volumeStatus"):
        if uid := it.text(status, "hotplugVolume", "attachPodUID"):
            yield uid


def active_pods(instance: Item) -> Collection[str]:
    """The uids of the pods that name the instance as their controller, ended ones too."""
    return it.mapping(instance, "status", "activePods")


def state_claims(instance: Item) -> Iterator[str]:
    """Names of the claims with vTPM, EFI and other state, by the instance's status.

    Source: KubeVirt v1.9, pkg/storage/backend-storage, CurrentPVCName.
    """
    for status in it.sequence(instance, "status", "volumeStatus"):
        name = it.text(status, "persistentVolumeClaimInfo", "claimName")
        if name and it.text(status, "name").startswith("persistent-state-for"):
            yield name


def marks(instance: Item) -> Iterator[str]:
    """The addresses, UUID and serial number of the instance's guest."""
    yield from guest.marks(it.mapping(instance, "spec"))
    for interface in it.sequence(instance, "status", "interfaces"):
        if address := it.text(interface, "mac"):
            yield address.lower()


def references(instance: Item) -> Iterator[Reference]:
    """The objects of its namespace that the instance's specification needs."""
    specification = it.require_mapping(instance, "spec")
    metadata = it.mapping(instance, "metadata")
    yield from references_of.of_namespace(specification, metadata, it.namespace(instance))


def renamed(instance: Item, name: str, names: Mapping[str, str]) -> Item:
    """A lone instance under another name, on claims of other names, old to new."""
    for label, value in it.labels(instance).items():
        if value == it.name(instance):
            instance = it.with_label(instance, label, name)
    specification = references_of.renamed(it.mapping(instance, "spec"), names)
    instance = it.with_value(instance, specification, "spec")
    return it.with_value(instance, name, "metadata", "name")


def since(instance: Item, condition: str) -> str:
    """When a condition that is true was last probed, or else became true; empty if it is not.

    `yes` if the condition has neither time.
    """
    for entry in it.sequence(instance, "status", "conditions"):
        if it.text(entry, "type") == condition and it.text(entry, "status") == "True":
            times = (it.text(entry, field) for field in ("lastProbeTime", "lastTransitionTime"))
            return next(filter(None, times), "yes")
    return ""


def troubles(instance: Item) -> Iterator[str]:
    """KubeVirt's reasons why the guest does not run, `Unschedulable: 0/3 nodes ...`."""
    for entry in it.sequence(instance, "status", "conditions"):
        if it.text(entry, "status") == "False" and it.text(entry, "message"):
            yield f"{it.text(entry, 'reason')}: {it.text(entry, 'message')}"


def _is_true(instance: Item, condition: str) -> bool:
    return bool(since(instance, condition))
