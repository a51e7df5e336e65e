"""Takes the snapshots of a guest's disks side by side, while the guest stands still once.

Velero waits for each snapshot by looking every five seconds, one disk after the other; the storage
needs milliseconds. Here all VolumeSnapshots of a freeze are created first, and a watch says when
the storage has each of them.

A snapshot has the same name in each attempt, so that a process that Velero starts again finds what
the former one has made, and no disk is taken twice.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from stillpoint.actions.backup.snapshots import disks, leftovers, thaw
from stillpoint.actions.backup.snapshots.discard import discard
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal, SnapshotFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reader import Change
from stillpoint.resources.disks import (
    persistent_volume,
    persistent_volume_claim,
    volume_snapshot,
    volume_snapshot_content,
)
from stillpoint.resources.machines import kubevirt
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import own_snapshots, volume_snapshot_class
from stillpoint.velero.volumes.own_snapshots import Taken

_SIDE_BY_SIDE = 16
_ATTEMPT = "cannot take a snapshot"
_HINT = (
    "look at the events of its VolumeSnapshot and at the log of the driver's csi-snapshotter; set "
    "csiSnapshotTimeout of the Backup where the storage is slow"
)
_HINT_WITHOUT_CSI = (
    "give the server the flag --features=EnableCSI; with OADP the default plugin csi does it"
)


def of_claim(claim: Item, context: BackupContext) -> Taken:
    """The snapshot of a claim; taken now, with all of its freeze, unless that was done before.

    Raises:
        StillpointError: there is none, and nothing of it will be left behind.
    """
    if not context.has_csi:
        cause = "Velero runs without its feature EnableCSI, and would store no snapshot"
        raise Refusal(it.describe(claim), _ATTEMPT, cause, _HINT_WITHOUT_CSI)
    uid = it.uid(claim)
    if not context.snapshots.has_begun(uid):
        freeze = disks.of_one_freeze(claim, context)
        _tell_of_strangers(claim, freeze.strangers, context)
        claims = {it.uid(each): each for each in freeze.claims}
        ours = context.snapshots.begin(claims)
        group = own_snapshots.group(claim, context.backup.uid)
        failed = _take([claims[each] for each in ours], freeze.guests, group, context)
        thaw.when_taken(freeze, context)
        context.background(lambda: _clean_up(failed, it.namespace(claim), context))
    snapshot = context.snapshots.result(uid)
    try:
        return Taken(snapshot, _content(claim, snapshot, context))
    except StillpointError:
        context.background(lambda: _discard(claim, context))
        raise


def _clean_up(failed: Iterable[Item], namespace: str, context: BackupContext) -> None:
    """Deletes what failed claims and former backups have left; not while a guest waits for it."""
    for each in failed:
        _discard(each, context)
    leftovers.delete(namespace, context)


def _tell_of_strangers(claim: Item, guests: Iterable[Item], context: BackupContext) -> None:
    """Warns of guests that use a claim and may not stand still for it.

    After a restart of this process their block is unknown, and they may all the same.
    """
    for guest in guests:
        context.log.warning(
            "%s, which guest %s has got since the item blocks were made, is taken alone, and is of"
            " another moment than its other disks (mixed)",
            it.name(claim),
            it.name(guest),
        )


def _tell_of_thawed(
    guests: Sequence[Item], names: str, within_s: float, context: BackupContext
) -> None:
    """Warns of guests that stood still no longer when the last of these disks was taken."""
    for guest in guests:
        if it.uid(guest) in context.snapshots.thawed:
            text = "guest %s had been thawed already: %s are of a later moment than its other disks"
            context.log.warning(text, it.name(guest), names)
        elif within_s > kubevirt.SAFETY_THAW_S:
            text = "after %d s KubeVirt thaws guest %s by itself: the last of %s came after %.0f s"
            context.log.warning(text, kubevirt.SAFETY_THAW_S, it.name(guest), names, within_s)


def _content(claim: Item, snapshot: Item, context: BackupContext) -> Item:
    name = volume_snapshot.content(snapshot)
    content = context.cluster.current(volume_snapshot_content.RESOURCE, "", name)
    cause = ""
    if content is None or not volume_snapshot_content.handle(content):
        cause = f"VolumeSnapshotContent {name} has no handle of the storage"
    elif not volume_snapshot_content.is_bound_to(content, snapshot):
        cause = f"VolumeSnapshotContent {name} is of another VolumeSnapshot"
    if content is None or cause:
        raise SnapshotFailed(it.describe(claim), _ATTEMPT, cause, _HINT)
    return content


def _take(
    claims: Sequence[Item], guests: Sequence[Item], group: str, context: BackupContext
) -> Sequence[Item]:
    """Takes snapshots side by side, and ends each of them in `context.snapshots`.

    Returns:
        The claims that have none; there may be some of it in the cluster.
    """
    if not claims:
        return ()
    together = _Together(claims, group, context)
    with ThreadPoolExecutor(min(len(claims), _SIDE_BY_SIDE)) as workers:
        try:
            together.wait(workers.map(together.create, claims))
            together.end_all()
        except Exception as error:  # noqa: BLE001 - for each claim that is left, in its own call
            together.end_all(error)
    within = (context.clock.now() - together.began).total_seconds()
    if taken := [it.name(claim) for claim in claims if claim not in together.failed]:
        names = listing(taken)
        context.log.info("took snapshots of %s side by side within %.2f s", names, within)
        _tell_of_thawed(guests, names, within, context)
    return together.failed


class _Together:
    """Snapshots that are taken side by side.

    Attributes:
        began: before the first of them was created.
        failed: claims that have none.

    Args:
        group: the value of their common label.
    """

    def __init__(self, claims: Sequence[Item], group: str, context: BackupContext) -> None:
        self.failed: list[Item] = []
        self._group = group
        self._context = context
        self.began = context.clock.now()
        self._left = {it.name(claim): claim for claim in claims}
        self._messages: dict[str, str] = {}  # of the storage about its failures, by claim

    def create(self, claim: Item) -> Item | StillpointError:
        """The claim's VolumeSnapshot, which may have been made by a former process."""
        context = self._context
        try:
            snapshot_class = _snapshot_class(claim, context)
            new = own_snapshots.new(claim, context.backup.asked, snapshot_class, self._group)
            made = context.writer.create(volume_snapshot.RESOURCE, new)
            return made or _existing(claim, new, context)
        except StillpointError as error:
            return error

    def wait(self, made: Iterable[Item | StillpointError]) -> None:
        """Waits until the storage has each of them, or has failed, or the time is over."""
        groups = set()
        for claim, snapshot in zip(list(self._left.values()), made, strict=True):
            if isinstance(snapshot, StillpointError):
                self._end(claim, snapshot)
            else:
                groups.add(it.labels(snapshot)[own_snapshots.TAKEN_WITH])
        if groups:
            self._watch(f"{own_snapshots.TAKEN_WITH} in ({', '.join(sorted(groups))})")

    def _watch(self, labels: str) -> None:
        context, namespace = self._context, it.namespace(next(iter(self._left.values())))
        left_s = (
            context.backup.snapshot_timeout - (context.clock.now() - self.began)
        ).total_seconds()
        changes = context.cluster.changes(volume_snapshot.RESOURCE, namespace, labels, left_s)
        with closing(changes):
            for change in changes:
                claim = self._left.get(volume_snapshot.claim(change.item))
                if claim and _is_of(change.item, claim, context):
                    self._take(claim, change)
                if not self._left:
                    return

    def _take(self, claim: Item, change: Change) -> None:
        if change.is_deleted or it.is_being_deleted(change.item):
            cause = f"somebody deletes VolumeSnapshot {it.name(change.item)}"
            self._end(claim, SnapshotFailed(it.describe(claim), _ATTEMPT, cause))
        elif volume_snapshot.is_taken(change.item):
            self._end(claim, change.item)
        elif message := volume_snapshot.error(change.item):
            self._messages[it.name(claim)] = message

    def end_all(self, error: Exception | None = None) -> None:
        """Gives up those that are left, by default because the time is over."""
        for claim in list(self._left.values()):
            self._end(claim, error or self._too_late(claim))

    def _too_late(self, claim: Item) -> SnapshotFailed:
        after = f"{self._context.backup.snapshot_timeout.total_seconds():g} s (csiSnapshotTimeout)"
        message = self._messages.get(it.name(claim))
        said = f", the storage's last message: {message}" if message else ""
        return SnapshotFailed(it.describe(claim), _ATTEMPT, f"none after {after}{said}", _HINT)

    def _end(self, claim: Item, outcome: Item | Exception) -> None:
        del self._left[it.name(claim)]
        self._context.snapshots.end(it.uid(claim), outcome)
        if isinstance(outcome, Exception):
            self.failed.append(claim)


def _snapshot_class(claim: Item, context: BackupContext) -> str:
    """Name of the class by which the snapshot is taken, in Velero's order.

    Raises:
        Refusal: there can be no snapshot of the claim.
    """

    def refusal(cause: str, hint: str) -> Refusal:
        return Refusal(it.describe(claim), _ATTEMPT, cause, hint)

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


def _existing(claim: Item, new: Item, context: BackupContext) -> Item:
    """The VolumeSnapshot of this name, by another attempt.

    Raises:
        StillpointError: it is not ours, or gone.
    """
    namespace, name = it.identify(new)
    found = context.cluster.current(volume_snapshot.RESOURCE, namespace, name)
    if found and _is_of(found, claim, context):
        return found
    cause = f"VolumeSnapshot {name} exists, and is not of this backup"
    if found is None:
        cause = f"VolumeSnapshot {name} exists, and is gone"
    raise SnapshotFailed(it.describe(claim), _ATTEMPT, cause, "back up again")


def _is_of(snapshot: Item, claim: Item, context: BackupContext) -> bool:
    """True if this backup has made the snapshot of this claim."""
    is_named = it.name(snapshot) == own_snapshots.name(claim, context.backup.uid)
    is_of_backup = own_snapshots.is_of(snapshot, context.backup.asked)
    return is_named and is_of_backup and volume_snapshot.claim(snapshot) == it.name(claim)


def _discard(claim: Item, context: BackupContext) -> None:
    name = own_snapshots.name(claim, context.backup.uid)
    discard(volume_snapshot.RESOURCE.named(it.namespace(claim), name), it.name(claim), context)
