"""Storage of the machines' disks, driver by driver: snapshot classes as Velero chooses them."""

import json
import shlex
from collections.abc import Iterator, Sequence

from stillpoint.check.areas import running
from stillpoint.check.case import Case, Disk, Installation
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.weight import Weight
from stillpoint.resources.disks import storage_class, volume_snapshot, volume_snapshot_content
from stillpoint.resources.installation import (
    data_protection_application,
    node_agent_settings,
    storage_profile,
    workload,
)
from stillpoint.velero import own_objects
from stillpoint.velero.volumes import own_snapshots
from stillpoint.velero.volumes import volume_snapshot_class as snapshot_class

Facts = Iterator[Found | NotKnown]


def _drivers(case: Case) -> dict[str, list[Disk]]:
    """The CSI drivers of machines' disks, each with its disks."""
    found: dict[str, list[Disk]] = {}
    for disk in case.disks:
        if disk.driver:
            found.setdefault(disk.driver, []).append(disk)
    return found


def _of_driver(case: Case, driver: str) -> Sequence[Item]:
    return snapshot_class.of_driver(case.all(snapshot_class.RESOURCE), driver)


def _about(driver: str, disks: Sequence[Disk], text: str = "", **more: str) -> Found:
    names = listing([f"{one.claim.namespace}/{one.claim.name}" for one in disks])
    return Found.of(f"driver {driver}{text and ': '}{text} (disks {names})", driver=driver, **more)


def _chosen(case: Case, driver: str) -> Item | None:
    """Velero's choice, unless a Backup or a claim names another class."""
    return snapshot_class.choose({}, {}, _of_driver(case, driver))


def _without_csi(case: Case) -> Facts:
    unknown = [one for one in case.disks if one.driver is None]
    if unknown:
        names = listing([f"{one.claim.namespace}/{one.claim.name}" for one in unknown])
        yield NotKnown(f"the drivers of disks whose volume and class were not read: {names}")
    for disk in case.disks:
        if disk.driver == "":
            yield Found.of(
                f"disk {disk.claim.namespace}/{disk.claim.name} of {disk.machine.name}",
                namespace=disk.claim.namespace,
                name=disk.claim.name,
            )


def _no_class(case: Case) -> Facts:
    for driver, disks in _drivers(case).items():
        if not _of_driver(case, driver):
            yield _about(driver, disks)


def _ambiguous(case: Case) -> Facts:
    for driver, disks in _drivers(case).items():
        classes = _of_driver(case, driver)
        if classes and _chosen(case, driver) is None:
            yield _about(driver, disks, _names(classes), name=it.name(classes[0]))


def _several_marked(case: Case) -> Facts:
    for driver, disks in _drivers(case).items():
        marked = snapshot_class.with_label(_of_driver(case, driver))
        if len(marked) > 1:
            yield _about(driver, disks, _names(marked), name=it.name(marked[-1]))


def _names(classes: Sequence[Item]) -> str:
    return ", ".join(map(it.name, classes))


def _deletes(case: Case) -> Facts:
    for driver, disks in _drivers(case).items():
        chosen = _chosen(case, driver)
        if chosen and snapshot_class.deletion_policy(chosen) == "Delete":
            yield _about(driver, disks, it.name(chosen), name=it.name(chosen))


def _die_with_volume(case: Case) -> Facts:
    if case.installations and all(map(running.moves_data, case.installations)):
        return
    for driver, disks in _drivers(case).items():
        chosen = _chosen(case, driver)
        if chosen and snapshot_class.lives_with_volume(chosen):
            yield _about(driver, disks, it.name(chosen), name=it.name(chosen))


def _waits_for_consumer(case: Case) -> Facts:
    for one in case.installations:
        if not running.moves_data(one) or any(
            map(data_protection_application.ignores_delayed_binding, one.applications)
        ):
            continue
        ignores = _agents_ignore(case, one)
        if ignores is None:
            yield NotKnown(f"the configuration of the node agents in {one.namespace}")
        elif not ignores:
            for name in sorted(_late_classes(case)):
                text = f"storage class {name}, data is moved in {one.namespace}"
                yield Found.of(text, namespace=one.namespace)


def _agents_ignore(case: Case, one: Installation) -> bool | None:
    if one.node_agent is None:
        case.all(workload.NODE_AGENT)
        return False
    config_maps = case.in_namespace(one.namespace, node_agent_settings.CONFIG_MAP)
    return node_agent_settings.ignores_delayed_binding(one.node_agent, config_maps)


def _late_classes(case: Case) -> set[str]:
    classes = (disk.storage_class for disk in case.disks)
    return {it.name(one) for one in classes if one and storage_class.binds_at_first_use(one)}


def _profile(case: Case) -> Facts:
    classes = {it.name(disk.storage_class) for disk in case.disks if disk.storage_class}
    profiles = {it.name(one): one for one in case.all(storage_profile.RESOURCE)}
    for name in sorted(classes & profiles.keys()):
        if not storage_profile.property_sets(profiles[name]):
            yield Found.of(f"storage profile {name}", name=name)


def _left_behind(case: Case) -> Facts:
    """VolumeSnapshots of the plugin that no archive has, by namespace."""
    backups = {(it.namespace(one), it.name(one)): one for one in case.all(own_objects.BACKUP)}
    velero = {one.namespace for one in case.installations}
    left: dict[str, list[Item]] = {}
    for snapshot in filter(own_snapshots.is_ours, case.all(kinds.VOLUME_SNAPSHOT)):
        [of] = own_snapshots.backups(snapshot)
        namespace, _slash, name = of.partition("/")
        backup = backups.get((namespace, name))
        if not name:
            yield NotKnown(f"for which backup {it.describe(snapshot)} was taken")
        elif namespace in velero and own_snapshots.is_left(snapshot, backup):
            left.setdefault(it.namespace(snapshot), []).append(snapshot)
    for where, snapshots in left.items():
        names = [it.name(one) for one in snapshots]
        delete = shlex.join(["kubectl", "delete", "volumesnapshots", "-n", where, *names])
        commands = "; ".join((*_releases(snapshots), delete))
        yield Found(f"namespace {where}: {listing(names)}", remedy=commands)


def _releases(snapshots: Sequence[Item]) -> Iterator[str]:
    """Commands without which the bytes of former members of groups would stay in any case."""
    for one in filter(own_snapshots.was_in_group, snapshots):
        if name := volume_snapshot.content(one):
            change = json.dumps(volume_snapshot_content.without_group_if_of(one))
            patch = ["kubectl", "patch", "volumesnapshotcontents", "--subresource=status"]
            yield shlex.join([*patch, "--type=json", f"--patch={change}", "--", name])


# fmt: off
AREA = Area("storage", "Storage of machines' disks", (
    Row("disk-without-csi", Weight.BLOCKS,
        "no CSI driver serves a disk",
        cause="nothing can take a snapshot of it",
        by_hand="kubectl get pvc -n NAMESPACE NAME -o yaml; kubectl get pv VOLUME -o yaml",
        remedy="move the disk to a StorageClass of a CSI driver that makes snapshots: "
               "virtctl migrate-storage, or a DataVolume with a pvc source",
        fact=_without_csi),
    Row("no-snapshot-class", Weight.BLOCKS,
        "a driver of disks has no VolumeSnapshotClass",
        cause="Velero takes no snapshot of its disks, and the backup fails for them",
        by_hand="kubectl get volumesnapshotclass",
        remedy="create a VolumeSnapshotClass with driver: {driver}, deletionPolicy: Retain and the "
               "label velero.io/csi-volumesnapshot-class: \"true\"", fact=_no_class),
    Row("snapshot-class-not-chosen", Weight.BLOCKS,
        "a driver of disks has several VolumeSnapshotClasses, and none is marked",
        cause="Velero takes the one with its label, else the default one, else the only one",
        by_hand="kubectl get volumesnapshotclass -L velero.io/csi-volumesnapshot-class",
        remedy="kubectl label volumesnapshotclass {name} velero.io/csi-volumesnapshot-class=true",
        fact=_ambiguous),
    Row("several-snapshot-classes", Weight.DEGRADES,
        "a driver of disks has several marked VolumeSnapshotClasses",
        cause="Velero takes the first that the API server lists",
        by_hand="kubectl get volumesnapshotclass -L velero.io/csi-volumesnapshot-class",
        remedy="kubectl label volumesnapshotclass {name} velero.io/csi-volumesnapshot-class-",
        fact=_several_marked),
    Row("snapshots-deleted-with-object", Weight.NOTE,
        "snapshots are deleted with their objects (deletionPolicy Delete)",
        cause="whoever deletes a namespace deletes the snapshots of other tools in it, too; those "
              "that Velero has finished are kept by it",
        by_hand="kubectl get volumesnapshotclass",
        remedy="create a class like it with deletionPolicy: Retain, and move the label "
               "velero.io/csi-volumesnapshot-class from {name} to it", fact=_deletes),
    Row("snapshots-die-with-volume", Weight.BLOCKS,
        "snapshots of a driver are part of the volume, and gone with it",
        cause="a backup is then worth nothing once its disk is deleted",
        by_hand="kubectl get volumesnapshotclass -o yaml",
        remedy="move the data (defaultSnapshotMoveData: true), or label another class of {driver}: "
               "with Longhorn type: bak", fact=_die_with_volume),
    Row("moved-data-waits-for-consumer", Weight.DEGRADES,
        "data is moved, and disks are bound at their first use (WaitForFirstConsumer)",
        cause="a restore brings their data only when a pod uses them; a machine that is restored "
              "halted starts none",
        by_hand="kubectl get storageclass; kubectl get configmap -n NAMESPACE",
        remedy="set restorePVC.ignoreDelayBinding: true in the configuration of the node agents; "
               "with OADP spec.configuration.nodeAgent.restorePVC.ignoreDelayBinding",
        fact=_waits_for_consumer),
    Row("storage-profile-empty", Weight.NOTE,
        "a StorageProfile has no claim properties",
        cause="CDI does not know access and volume mode of that class: a DataVolume that leaves "
              "them open is not created",
        by_hand="kubectl get storageprofile NAME -o yaml",
        remedy="kubectl edit storageprofile {name}; set spec.claimPropertySets", fact=_profile),
    Row("snapshots-left-behind", Weight.NOTE,
        "snapshots that the plugin took are in no archive of a backup",
        cause="their backup has failed or is gone, and none of the namespace has deleted them "
              "since; they take space, and no restore knows of them",
        by_hand="kubectl get volumesnapshots -A -l stillpoint.dev/taken-with",
        remedy="kubectl delete volumesnapshots -n NAMESPACE NAMES", fact=_left_behind),
))
# fmt: on
