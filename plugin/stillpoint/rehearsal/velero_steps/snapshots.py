"""Claims of a backup that Velero would take snapshots of, with Velero's annotations.

Snapshots of the plugin's own are its actions' business, on the rehearsal's stand-in for a storage.
Unknown facts of the storage count as good for both: a verdict reports them as unknown.

Source: pkg/backup/actions/csi/pvc_action.go and internal/volumehelper of Velero v1.18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps.backup import BackupContents
from stillpoint.rehearsal.velero_steps.selection import Selection
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim, storage_class
from stillpoint.resources.machines import pod
from stillpoint.velero import node_agent
from stillpoint.velero.volumes import claim_data, snapshotter, volume_snapshot_class
from stillpoint.velero.volumes.fates import Fates, has_builtin_mover, moves_data
from stillpoint.velero.volumes.policy import Fate

_NOT_KNOWN = "not-known"


def with_snapshots(backup: BackupContents, selection: Selection, request: Item) -> BackupContents:
    """The backup with its claims as Velero stores them after its snapshots."""
    fates, classes = fates_of(selection, request, mounting(selection)), _snapshot_classes(selection)
    stored = {
        reference: claim_data.with_snapshot_annotations(item, is_moved=moves_data(request))
        if reference.is_of(persistent_volume_claim.RESOURCE)
        and _has_snapshot(selection.cluster[reference], selection, fates)
        and _has_snapshot_class(selection.cluster[reference], selection, classes)
        else item
        for reference, item in backup.stored.items()
    }
    return replace(backup, stored=stored)


def assumed(known: Known, selection: Selection, request: Item) -> Mapping[Reference, Item]:
    """Objects that were not read, and without which the plugin could take no snapshot."""
    policies = selection.policy.volumes
    if not (snapshotter.takes_rest(request) or any(one.fate is Fate.OWN for one in policies)):
        return {}
    fates = fates_of(selection, request, mounting(selection))
    found = _assumed_mover(selection, request)
    for reference, claim in selection.cluster.items():
        if not reference.is_of(persistent_volume_claim.RESOURCE):
            continue
        if persistent_volume_claim.is_bound(claim) and fates.of(claim) is Fate.OWN:
            found |= _assumed_of_claim(claim, known, selection)
    return found


def _assumed_mover(selection: Selection, request: Item) -> dict[Reference, Item]:
    """A node agent, unless one was read with its status, which a manifest does not have."""
    if not (moves_data(request) and has_builtin_mover(request)):
        return {}
    agents = [node_agent.RESOURCE.named(it.namespace(request), name) for name in node_agent.NAMES]
    if any("status" in selection.cluster.get(agent, {}) for agent in agents):
        return {}
    metadata = {"name": agents[0].name, "namespace": agents[0].namespace}
    return {agents[0]: {"metadata": metadata, "status": {"numberReady": 1}}}


def _assumed_of_claim(claim: Item, known: Known, selection: Selection) -> Mapping[Reference, Item]:
    found: dict[Reference, Item] = {}
    reference = persistent_volume.RESOURCE.named("", persistent_volume_claim.volume(claim))
    volume = selection.cluster.get(reference)
    if volume is None and not known.covers(persistent_volume.RESOURCE):
        driver = _provisioner(claim, selection) or _NOT_KNOWN
        volume = {"metadata": {"name": reference.name}, "spec": {"csi": {"driver": driver}}}
        found[reference] = volume
    driver = persistent_volume.csi_driver(volume or {})
    is_open = driver == _NOT_KNOWN or not known.covers(volume_snapshot_class.RESOURCE)
    if driver and is_open:
        labels = {volume_snapshot_class.LABEL: "true"}
        snapshot_class = {"metadata": {"name": _NOT_KNOWN, "labels": labels}, "driver": driver}
        found[volume_snapshot_class.RESOURCE.named("", f"{_NOT_KNOWN}-{driver}")] = snapshot_class
    return found


def mounting(selection: Selection) -> Mapping[Reference, Sequence[Item]]:
    """Pods that mount each claim, also those that the backup leaves out."""
    found: dict[Reference, list[Item]] = {}
    for reference, item in selection.cluster.items():
        if reference.is_of(pod.RESOURCE):
            for name in pod.claims(item):
                claim = persistent_volume_claim.RESOURCE.named(reference.namespace, name)
                found.setdefault(claim, []).append(item)
    return found


def fates_of(
    selection: Selection, request: Item, pods: Mapping[Reference, Sequence[Item]]
) -> Fates:
    """The fates of the backup's volumes.

    Args:
        pods: from `mounting`.
    """

    def volume(name: str) -> Item | None:
        return selection.cluster.get(persistent_volume.RESOURCE.named("", name))

    def mounting_it(claim: Item) -> Sequence[Item]:
        return pods.get(persistent_volume_claim.RESOURCE.named(*it.identify(claim)), ())

    return Fates(request, selection.policy, volume, mounting_it)


def _has_snapshot(claim: Item, selection: Selection, fates: Fates) -> bool:
    if not persistent_volume_claim.is_bound(claim):
        return False
    name = persistent_volume_claim.volume(claim)
    bound = selection.cluster.get(persistent_volume.RESOURCE.named("", name))
    if bound is not None and not persistent_volume.csi_driver(bound):
        return False
    return fates.of(claim) is Fate.SNAPSHOT


def _has_snapshot_class(claim: Item, selection: Selection, classes: Sequence[Item]) -> bool:
    provisioner = _provisioner(claim, selection)
    if not provisioner or not classes:
        return True
    return bool(volume_snapshot_class.of_driver(classes, provisioner))


def _provisioner(claim: Item, selection: Selection) -> str:
    """The driver of a claim's StorageClass; empty if not known."""
    name = persistent_volume_claim.storage_class(claim)
    found = selection.cluster.get(storage_class.RESOURCE.named("", name))
    return storage_class.provisioner(found) if found else ""


def _snapshot_classes(selection: Selection) -> Sequence[Item]:
    resource = volume_snapshot_class.RESOURCE
    return [item for one, item in selection.cluster.items() if one.is_of(resource)]
