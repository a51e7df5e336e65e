"""Facts about the arrival of a finished backup's machine at a target.

Sources: pkg/restore/restore.go and pkg/restore/actions/csi of Velero v1.18, which restores the
snapshot's object by its handle and takes the first class of its driver.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from stillpoint.actions.restore.losses import lost_data
from stillpoint.actions.restore.losses.lost_data import Loss, Remains
from stillpoint.backup_files import disk_facts
from stillpoint.backup_files.disk_data import DiskData, Method
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.plugin.outlook import Outlook
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from stillpoint.rehearsal.verdict import of_backup
from stillpoint.rehearsal.verdict.case import Case, Disk, once
from stillpoint.rehearsal.verdict.destination import Destination
from stillpoint.resources.disks import (
    data_volume,
    persistent_volume,
    persistent_volume_claim,
    storage_class,
    volume_snapshot_content,
)
from stillpoint.resources.machines import (
    instancetype,
    kubevirt,
    pod,
    virtual_machine,
)
from stillpoint.resources.quota import limit_range, resource_quota
from stillpoint.velero.volumes import volume_snapshot_class

_CSI_DRIVER = "csidrivers.storage.k8s.io"
_SIZES = (instancetype.INSTANCETYPE, instancetype.CLUSTER_INSTANCETYPE)
_PREFERENCES = (instancetype.PREFERENCE, instancetype.CLUSTER_PREFERENCE)
_DISKS = (persistent_volume_claim.RESOURCE, data_volume.RESOURCE)
_NAMED = (*_DISKS, storage_class.RESOURCE, kinds.NETWORK_ATTACHMENT)

_WITHOUT_VOLUME = "the Restore leaves persistentvolumes out, as which its snapshot comes back"

Fact = Callable[[Case], Iterator[str]]


def _there(case: Case) -> Destination:
    if case.around.destination is None:
        raise ValueError("a backup that is rehearsed has no destination")
    return case.around.destination


def losses(case: Case) -> Iterator[str]:
    """Disks whose data the restore does not bring, and that the target does not have."""
    for loss in _losses(case):
        yield f"{loss.claim} ({loss.cause}; {loss.remains})"


@once
def _losses(case: Case) -> Sequence[Loss]:
    found = []
    for loss in _outlook(case).losses:
        claim = persistent_volume_claim.RESOURCE.named(case.reference.namespace, loss.claim)
        result = case.around.restored.get(claim)
        if (result is None or not result.conflict) and (known := _by_books(case, claim, loss)):
            found.append(known)
    names = {loss.claim for loss in found}
    found += (loss for loss in _losses_of_files(case) if loss.claim not in names)
    return [*found, *_losses_of_native(case)]


def _losses_of_files(case: Case) -> Iterator[Loss]:
    """Disks whose files Velero puts back through a pod that the restore does not create.

    Source: restoreItem in pkg/restore/restore.go and pkg/podvolume of Velero v1.15 to v1.18.
    """
    for _disk, data in of_backup.new_disks(case):
        is_whole = data.method is Method.FILES and not any(disk_facts.files_not_completed([data]))
        if data.info is None or not is_whole or any(disk_facts.without_way_back([data])):
            continue
        through = case.around.restored.get(pod.RESOURCE.named(data.claim.namespace, data.info.pod))
        if through is None or through.result is not RestoreResult.CREATED:
            cause = lost_data.NOT_BROUGHT_BACK.format(data.info.pod)
            why = f": {through.why}" if through else ""
            yield Loss(data.claim.name, f"{cause}{why}", Remains.EMPTY)


def _losses_of_native(case: Case) -> Iterator[Loss]:
    """Disks of whose snapshots Velero makes no volume.

    Nor does it while the volume of before is there, unless the namespace of the claim gets another
    name: it waits ten minutes for one to go whose claim has gone, and then goes on without it.
    Source: shouldRestore and handlePVHasNativeSnapshot in pkg/restore/restore.go of Velero v1.15 to
    v1.18.
    """
    is_refused = case.around.restore.refuses(persistent_volume.RESOURCE)
    for _disk, data in _native(case):
        if is_refused:
            yield Loss(data.claim.name, _WITHOUT_VOLUME, Remains.ABSENT)
        elif (volume := _volume_in_the_way(case, data)) and not _is_free(volume):
            cause = f"volume {it.name(volume)} is still there, so Velero makes none of its snapshot"
            yield Loss(data.claim.name, cause, Remains.ABSENT)


def _volume_in_the_way(case: Case, data: DiskData) -> Item | None:
    """The volume of before, if Velero takes it for the one that it would make of a snapshot."""
    restore = case.around.restore
    is_mapped = restore.namespace(data.claim.namespace) != data.claim.namespace
    if is_mapped or not restore.has_volumes:
        return None
    name = persistent_volume_claim.volume(data.item or {})
    volume = _there(case).objects.get(persistent_volume.RESOURCE.named("", name))
    if volume is None or _is_free(volume) or persistent_volume.is_kept_after_claim(volume):
        return volume
    return None


def _is_free(volume: Item) -> bool:
    return not any(persistent_volume.claim(volume)) and not it.is_being_deleted(volume)


def _by_books(case: Case, claim: Reference, loss: Loss) -> Loss | None:
    """The loss, by Velero's books too, which the plugin does not read; None if it is none by those.

    Without a Backup, and without a book of volumes, nothing tells whether a plugin of Velero for
    that storage has a snapshot.
    """
    data = of_backup.data(case, claim)
    is_told = data.method is not Method.UNKNOWN or of_backup.has_object(case)
    if loss.cause != lost_data.NO_COPY:
        return loss
    if data.method is Method.NATIVE or not is_told:
        return None
    if data.method is not Method.FILES or data.info is None:
        return loss
    if any(disk_facts.without_way_back([data])):  # a fact of its own
        return None
    return replace(loss, cause=lost_data.NOT_BROUGHT_BACK.format(data.info.pod))


def skipped(case: Case) -> Iterator[str]:
    """Disks that Velero skipped, with its reason, and that come back on no volume of before."""
    found = of_backup.untaken(case, Method.SKIPPED)
    return disk_facts.skipped(one for one in found if not _is_on_its_volume(case, one))


def without_data(case: Case) -> Iterator[str]:
    """Disks of which the backup has no data, unless another fact says so."""
    return disk_facts.without_data(
        one
        for one in of_backup.untaken(case, Method.NONE)
        if not _is_lost(case, one) and not _is_on_its_volume(case, one)
    )


def on_their_volumes(case: Case) -> Iterator[str]:
    """Disks of which the restore brings no data, and that it makes on their volumes."""
    for one in of_backup.untaken(case, Method.SKIPPED, Method.NONE):
        if not _is_lost(case, one) and _is_on_its_volume(case, one):
            yield one.claim.name
    for _disk, data in _native(case):
        volume = _volume_in_the_way(case, data)
        is_free = volume is not None and _is_free(volume)
        if is_free or not case.around.restore.has_volumes:  # executePVAction in pv_restorer.go
            yield data.claim.name


def _native(case: Case) -> Iterator[tuple[Disk, DiskData]]:
    """Disks whose snapshots a plugin of Velero for that storage has taken."""
    return (one for one in of_backup.new_disks(case) if one[1].method is Method.NATIVE)


def of_unknown_method(case: Case) -> Iterator[str]:
    """Disks of which nothing says whether and how their data was stored."""
    found = of_backup.untaken(case, Method.UNKNOWN)
    return disk_facts.of_unknown_method(one for one in found if not _is_lost(case, one))


def _is_lost(case: Case, data: DiskData) -> bool:
    return any(loss.claim == data.claim.name for loss in _losses(case))


def _is_on_its_volume(case: Case, data: DiskData) -> bool:
    """True if Velero makes the claim on the volume of before: that outlives its claim."""
    name = persistent_volume_claim.volume(data.item or {})
    volume = persistent_volume.RESOURCE.named("", name)
    stored = case.around.backup.stored.get(volume)
    if stored is None:
        return volume in _there(case).objects
    return not persistent_volume.is_deleted_with_claim(stored)


def missing(*resources: Resource) -> Fact:
    """The fact about needed objects of these resources that the target lacks."""

    def fact(case: Case) -> Iterator[str]:
        return (one.name for one in _lacking(case) if any(map(one.is_of, resources)))

    return fact


missing_disks = missing(*_DISKS)
missing_classes = missing(storage_class.RESOURCE)
missing_networks = missing(kinds.NETWORK_ATTACHMENT)


def missing_instancetypes(case: Case) -> Iterator[str]:
    """Instancetypes and preferences that the target lacks, and of which the machine has a revision.

    Without one KubeVirt starts no guest: that is a fact about other objects.
    """
    return (one.name for one in _lacking(case) if _has_revision(case, one))


def missing_others(case: Case) -> Iterator[str]:
    """Needed objects of all other resources that the target lacks."""
    for one in _lacking(case):
        if not any(map(one.is_of, _NAMED)) and not _has_revision(case, one):
            yield str(one)


def _has_revision(case: Case, one: Reference) -> bool:
    """True for an instancetype or preference of which the machine names a revision."""
    if any(map(one.is_of, _SIZES)):
        return bool(virtual_machine.instancetype_revision(case.machine))
    is_preference = any(map(one.is_of, _PREFERENCES))
    return is_preference and bool(virtual_machine.preference_revision(case.machine))


def not_known(case: Case) -> Iterator[str]:
    """Needed objects, and resources, of which the target's were not read."""
    there = _there(case)
    yield from (str(one) for one in _needs(case) if not there.covers(one.group_resource))
    if any(_contents(case)) and not there.covers(_CSI_DRIVER):
        yield _CSI_DRIVER
    limits = (resource_quota.RESOURCE, limit_range.RESOURCE)
    yield from (str(one) for one in limits if not there.covers(str(one)))
    if there.pods.get(case.reference) and not there.covers(str(kubevirt.RESOURCE)):
        yield str(kubevirt.RESOURCE)


def _lacking(case: Case) -> Iterator[Reference]:
    there = _there(case)
    for one in _needs(case):
        if one not in there.objects and there.covers(one.group_resource):
            yield one


def _needs(case: Case) -> Sequence[Reference]:
    return _outlook(case).needs


def _outlook(case: Case) -> Outlook:
    return _there(case).outlooks.get(case.reference, Outlook())


def unserved(case: Case) -> Iterator[str]:
    """Resources of the machine's items that the target does not have."""
    served = _there(case).served
    for one in _restored(case) if served else ():
        if one.reference.group_resource not in served:
            yield one.reference.group_resource


def other_versions(case: Case) -> Iterator[str]:
    """Resources whose stored version the target does not serve: Velero asks for no other.

    Source: getResourceClient in pkg/restore/restore.go of Velero v1.18.
    """
    served = _there(case).served
    for one in _restored(case):
        stored = str(case.around.backup.stored[one.reference].get("apiVersion", ""))
        preferred = served.get(one.reference.group_resource)
        if preferred and stored not in preferred.api_versions:
            yield f"{preferred.name} ({stored}, there {preferred.api_version})"


def _restored(case: Case) -> Iterator[RestoredItem]:
    """The items that the restore would create or change."""
    results = filter(None, map(case.around.restored.get, case.parts))
    wanted = (RestoreResult.CREATED, RestoreResult.UPDATED)
    return (one for one in results if one.result in wanted)


def missing_drivers(case: Case) -> Iterator[str]:
    """Disks whose snapshots are of a CSI driver that the target does not have."""
    there = _there(case)
    for disk, content in _contents(case) if there.covers(_CSI_DRIVER) else ():
        driver = it.text(content, "spec", "driver")
        if driver and driver not in _drivers(there):
            yield f"{disk.name} (driver {driver})"


def elsewhere(case: Case) -> Iterator[str]:
    """Disks whose snapshots nothing shows in a storage that the target reaches."""
    there = _there(case)
    for disk, content in _contents(case):
        driver = it.text(content, "spec", "driver")
        if driver in _drivers(there) and not _is_reached(content, there):
            yield f"{disk.name} (driver {driver})"
    if not there.is_origin and case.around.restore.has_volumes:
        yield from (f"{disk.name} (by a plugin of Velero)" for disk, _data in _native(case))


def without_class(case: Case) -> Iterator[str]:
    """Disks whose snapshots have no VolumeSnapshotClass at the target, with its secrets."""
    there = _there(case)
    classes = there.all_of(volume_snapshot_class.RESOURCE)
    for disk, content in _contents(case):
        driver = it.text(content, "spec", "driver")
        is_known = there.covers(str(volume_snapshot_class.RESOURCE))
        if is_known and not volume_snapshot_class.of_driver(classes, driver):
            yield f"{disk.name} (driver {driver})"


def _is_reached(content: Item, there: Destination) -> bool:
    """True if the target is the backup's own cluster, or knows the snapshot or its volume."""
    handle = volume_snapshot_content.handle(content)
    source = it.text(content, "spec", "source", "volumeHandle")
    driver = it.text(content, "spec", "driver")
    alike = (one for one in there.all_of(kinds.VOLUME_SNAPSHOT_CONTENT) if _driver(one) == driver)
    known = {volume_snapshot_content.handle(one) for one in alike}
    volumes = there.all_of(persistent_volume.RESOURCE)
    known_volumes = {
        it.text(one, "spec", "csi", "volumeHandle")
        for one in volumes
        if persistent_volume.csi_driver(one) == driver
    }
    return there.is_origin or handle in known or (bool(source) and source in known_volumes)


def _driver(content: Item) -> str:
    return it.text(content, "spec", "driver")


def _drivers(there: Destination) -> frozenset[str]:
    """The target's drivers; where they were not read, the provisioners of its classes."""
    classes = there.all_of(storage_class.RESOURCE)
    return frozenset(
        chain(
            (it.name(one) for one in there.by_resource.get(_CSI_DRIVER, ())),
            map(storage_class.provisioner, classes),
        )
    )


def _contents(case: Case) -> Iterator[tuple[Disk, Item]]:
    """Disks that the restore makes of snapshots in the storage, each with the snapshot's content.

    A content that the archive lacks has no fields.
    """
    for disk, data in of_backup.new_disks(case):
        if data.method is Method.SNAPSHOT:
            yield disk, data.content or {}


def quotas(case: Case) -> Sequence[str]:
    """Quotas of its namespace that all restored objects together exceed."""
    result = case.around.restored.get(case.reference)
    namespace = result.target.namespace if result else case.reference.namespace
    return _there(case).shortfalls.get(namespace, ())


def limits(case: Case) -> Iterator[str]:
    """Disks that are smaller or larger than the target's namespace lets claims be."""
    for disk in case.disks:
        result = case.around.restored.get(disk.claim)
        if result is None or result.item is None or result.result is not RestoreResult.CREATED:
            continue
        ranges = _ranges(case, result.target.namespace)
        for breach in limit_range.breaches_of_claim(result.item, ranges):
            yield f"{disk.name} ({breach})"


def limits_of_pods(case: Case) -> Iterator[str]:
    """Limits that the pods of the machine would not keep."""
    result = case.around.restored.get(case.reference)
    for one in _there(case).pods.get(case.reference, ()) if result else ():
        ranges = _ranges(case, result.target.namespace if result else "")
        yield from limit_range.breaches_of_pod(one, ranges)


def _ranges(case: Case, namespace: str) -> Sequence[Item]:
    ranges = _there(case).all_of(limit_range.RESOURCE)
    return [one for one in ranges if it.namespace(one) == namespace]
