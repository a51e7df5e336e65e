"""Takes the snapshots of a guest's disks at one time, while the guest stands still once.

Velero waits for each snapshot by looking every five seconds, one disk after the other; the storage
needs milliseconds. Here all disks of a freeze are taken at the first of them that Velero comes to.
"""

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from stillpoint.actions import policies, surroundings
from stillpoint.actions.backup.snapshots import disks, leftovers, plan, thaw
from stillpoint.actions.backup.snapshots.discard import discard
from stillpoint.actions.backup.snapshots.disks import Freeze
from stillpoint.actions.backup.snapshots.taking import ATTEMPT, Taking
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal, SnapshotFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.resources.disks import volume_snapshot, volume_snapshot_content
from stillpoint.resources.machines import kubevirt, pod
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes.own_snapshots import Taken

_HINT = "look at the events of its VolumeSnapshot and at the log of the driver's csi-snapshotter"
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
        raise Refusal(it.describe(claim), ATTEMPT, cause, _HINT_WITHOUT_CSI)
    uid = it.uid(claim)
    if not context.snapshots.has_begun(uid):
        freeze = disks.of_one_freeze(claim, context)
        _tell_of_strangers(claim, freeze.strangers, context)
        claims = {it.uid(each): each for each in freeze.claims}
        ours = [claims[each] for each in context.snapshots.begin(claims)]
        takings = _take(ours, freeze, context) if ours else ()
        for each in takings:
            context.background(each.clean_up)
        context.background(lambda: leftovers.delete(it.namespace(claim), context))
    snapshot = context.snapshots.result(uid)
    try:
        return Taken(snapshot, _content(claim, snapshot, context))
    except StillpointError:
        reference = volume_snapshot.RESOURCE.named(*it.identify(snapshot))
        context.background(lambda: discard(reference, it.name(claim), context))
        raise


def _take(claims: Sequence[Item], freeze: Freeze, context: BackupContext) -> Sequence[Taking]:
    """Takes the snapshots of claims, and ends each of them in `context.snapshots`.

    Returns:
        The takings, which have to be cleaned up.
    """
    takings: list[Taking] = []
    thawed = set(context.snapshots.thawed)
    try:
        takings += plan.takings(claims, freeze, context)
        with thaw.in_time(freeze, lambda: _left(takings, context), context):
            _await(takings, freeze, context)
    except Exception as error:  # noqa: BLE001 - for each claim that is left, in its own call
        _fail_left(claims, takings, error, context)
    else:
        _see_to_guests(takings, freeze, thawed, context)
    _settle(takings)
    return takings


def _settle(takings: Sequence[Taking]) -> None:
    """Settles side by side; one after the other where no thread can be started."""
    try:
        with ThreadPoolExecutor(len(takings) or 1) as workers:
            list(workers.map(Taking.settle, takings))
    except RuntimeError:
        for each in takings:
            each.settle()


def _await(takings: list[Taking], freeze: Freeze, context: BackupContext) -> None:
    """Takes side by side, and then one by one what a driver takes in no group."""
    with ThreadPoolExecutor(len(takings)) as workers:
        list(workers.map(Taking.take, takings))
    if alone := [claim for each in takings for claim in each.given_back()]:
        takings.append(plan.side_by_side(alone, freeze, context))
        takings[-1].take()


def _left(takings: Iterable[Taking], context: BackupContext) -> Sequence[str]:
    """Names of the claims for which the storage keeps everybody waiting."""
    left = [claim for each in takings for claim in tuple(each.left.values())]
    return [it.name(claim) for claim in left if not context.snapshots.has_ended(it.uid(claim))]


def _fail_left(
    claims: Sequence[Item], takings: Sequence[Taking], error: Exception, context: BackupContext
) -> None:
    """Ends each claim that has no end yet: other calls wait for it without limit."""
    for each in takings:
        each.fail_left(error)
    for claim in claims:
        if not context.snapshots.has_result(it.uid(claim)):
            context.snapshots.end(it.uid(claim), error)


def _see_to_guests(
    takings: Iterable[Taking], freeze: Freeze, thawed: Collection[str], context: BackupContext
) -> None:
    """Thaws the guests and tells of them; the storage has the disks, whatever goes wrong here.

    Args:
        thawed: see `_tell`.
    """
    try:
        for each in takings:
            _tell(each, freeze.guests, thawed, context)
        thaw.when_taken(freeze, context)
        _tell_of_unfrozen(freeze, context)
    except Exception as error:  # it fails no snapshot
        text = "guests of %s are left to the post hook, by a fault of the plugin: %s: %s"
        names, fault = listing(map(it.name, freeze.claims)), type(error).__name__
        context.log.warning(text, names, fault, error, exc_info=True)


def _tell_of_strangers(claim: Item, guests: Iterable[Item], context: BackupContext) -> None:
    """Warns of guests that use a claim and may not stand still for it.

    A process that was started again knows none of their blocks, and they may all the same.
    """
    for guest in guests:
        context.log.warning(
            "%s, which guest %s uses, is taken alone: they are not known to be in one item block,"
            " and it may be of another moment than the guest's other disks (mixed)",
            it.name(claim),
            it.name(guest),
        )


def _tell(
    taking: Taking, guests: Sequence[Item], thawed: Collection[str], context: BackupContext
) -> None:
    """Tells what was taken, and of guests that stood still no longer when the last disk was.

    Args:
        thawed: uids of the guests that the plugin had thawed before; of those that it thaws
            meanwhile the log has a warning.
    """
    if not taking.taken:
        return
    names, within_s = listing(taking.taken), taking.within.total_seconds()
    context.log.info("took %s of %s within %.2f s", taking.KIND, names, within_s)
    for guest in guests:
        if it.uid(guest) in thawed:
            text = "guest %s had been thawed already: %s are of a later moment than its other disks"
            context.log.warning(text, it.name(guest), names)
        elif within_s > kubevirt.SAFETY_THAW_S and it.uid(guest) not in context.snapshots.thawed:
            text = "after %d s KubeVirt thaws guest %s by itself: the last of %s came after %.0f s"
            context.log.warning(text, kubevirt.SAFETY_THAW_S, it.name(guest), names, within_s)


def _tell_of_unfrozen(freeze: Freeze, context: BackupContext) -> None:
    """Warns of guests that run and that Velero has no pod to freeze in.

    A backup with the machine is refused for that; this may be one of claims alone.
    """
    for guest in freeze.guests:
        try:
            launcher = surroundings.launcher_pod(context.cluster, guest) or {}
            reason = launcher and policies.filters(context).bars(pod.RESOURCE, launcher)
        except StillpointError as error:  # it fails no snapshot
            text = "if Velero has frozen guest %s is not known: %s"
            context.log.warning(text, it.name(guest), error)
            continue
        if reason:
            context.log.warning(
                "nobody has frozen guest %s: its launcher pod %s is left out %s; snapshots of %s"
                " are as a power failure would leave the disks (crash)",
                it.name(guest),
                it.name(launcher),
                reason,
                listing(map(it.name, freeze.claims)),
            )


def _content(claim: Item, snapshot: Item, context: BackupContext) -> Item:
    name = volume_snapshot.content(snapshot)
    content = context.cluster.current(volume_snapshot_content.RESOURCE, "", name)
    cause = ""
    if content is None or not volume_snapshot_content.handle(content):
        cause = f"VolumeSnapshotContent {name} has no handle of the storage"
    elif not volume_snapshot_content.is_bound_to(content, snapshot):
        cause = f"VolumeSnapshotContent {name} is of another VolumeSnapshot"
    if content is None or cause:
        raise SnapshotFailed(it.describe(claim), ATTEMPT, cause, _HINT)
    return content
