"""The classes by which snapshots are taken."""

from collections.abc import Sequence

from stillpoint.actions.backup.snapshots.taking import ATTEMPT
from stillpoint.model import item as it
from stillpoint.model.errors import ReadFailed, Refusal
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import fates, volume_group_snapshot_class, volume_snapshot_class


def of_claim(claim: Item, context: BackupContext) -> str:
    """Name of the class by which the snapshot is taken, in Velero's order.

    Raises:
        Refusal: there can be no snapshot of the claim.
    """

    def refusal(cause: str, hint: str) -> Refusal:
        return Refusal(it.describe(claim), ATTEMPT, cause, hint)

    if it.is_being_deleted(claim):
        raise refusal("the claim is being deleted", "")
    if not persistent_volume_claim.is_bound(claim):
        phase = persistent_volume_claim.phase(claim)
        raise refusal(f"the claim is {phase}, not bound to a volume", "start what is to use it")
    name = persistent_volume_claim.volume(claim)
    volume = context.cluster.get(persistent_volume.RESOURCE, "", name)
    if volume is None:
        raise refusal(f"its PersistentVolume {name} does not exist", "")
    driver = persistent_volume.csi_driver(volume)
    if not driver:
        cause = f"no CSI driver made its volume {name}"
        raise refusal(cause, "let a volume policy copy its files: action type fs-backup")
    classes = context.cluster.list_grouped(
        volume_snapshot_class.RESOURCE, "", volume_snapshot_class.drivers
    ).get(driver, ())
    chosen = volume_snapshot_class.choose(claim, context.backup.asked, classes)
    if chosen is None:
        names = (
            f"is none of {listing(list(map(it.name, classes)))}" if classes else "does not exist"
        )
        cause = f"its VolumeSnapshotClass of driver {driver} {names}"
        raise refusal(cause, f"label one of that driver: {volume_snapshot_class.LABEL}=true")
    return it.name(chosen)


def driver(claim: Item, context: BackupContext) -> str:
    """The CSI driver of a claim's volume; empty if there can be no snapshot of the claim."""
    try:
        of_claim(claim, context)
    except Refusal:
        return ""  # the same is raised when it is taken alone
    name = persistent_volume_claim.volume(claim)
    return persistent_volume.csi_driver(
        context.cluster.get(persistent_volume.RESOURCE, "", name) or {}
    )


def of_group(driver: str, claims: Sequence[Item], context: BackupContext) -> Item | None:
    """The class by which a group of claims is taken; None without one, which a warning tells.

    Nor for data that is moved: Velero makes contents without a group for that, and of a driver
    that names the group in its list of snapshots those never become ready.
    """
    if fates.moves_data(context.backup.asked):
        warn_of_no_group(driver, "the data of members cannot be moved (snapshotMoveData)", context)
        return None
    if driver in context.snapshots.no_groups_of:
        warn_of_no_group(driver, "nobody has served the first one of this backup", context)
        return None
    try:
        classes = _group_classes(driver, context)
        chosen = volume_group_snapshot_class.choose(claims, context.backup.asked, classes)
    except ReadFailed as error:
        warn_of_no_group(driver, str(error), context)
        return None
    if chosen is None:
        names = ", ".join(map(it.name, classes))
        label = f"{volume_group_snapshot_class.LABEL}=true"
        hint = f"label one of {names}: {label}" if names else "create one of that driver"
        cause = "no VolumeGroupSnapshotClass of it"
        warn_of_no_group(
            driver, f"{cause} {'is chosen' if names else 'exists'}; HINT: {hint}", context
        )
    return chosen


def _group_classes(driver: str, context: BackupContext) -> Sequence[Item]:
    """In the newest version that the API server serves: a list of no other has objects."""
    for resource in volume_group_snapshot_class.RESOURCES:
        found = context.cluster.list_grouped(resource, "", volume_snapshot_class.drivers)
        if found:
            return found.get(driver, ())
    return ()


def warn_of_no_group(driver: str, cause: str, context: BackupContext) -> None:
    """Once for each driver in a backup."""
    if context.snapshots.is_first_look(f"group of {driver}"):
        text = "no group snapshots of driver %s, its disks are taken side by side: %s"
        context.log.warning(text, driver, cause)
