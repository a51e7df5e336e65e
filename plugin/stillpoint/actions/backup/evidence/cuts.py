"""Bounds of the moment at which the snapshot of a disk was cut, stored with the snapshot.

Of the plugin's own snapshots both are exact. Of Velero's, the action of the VolumeSnapshot runs
when the storage has the bytes, and that of the PersistentVolume before they are asked for. Where
Velero does not come to the volume then, the bound is the action of the disk before it in the item
block, whose disks Velero takes one after the other, or the time before the block.

A guest may stand still: nothing waits until that is stored.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from stillpoint.actions import policies
from stillpoint.actions.backup.evidence import blocks
from stillpoint.actions.watching import backup_key, observer
from stillpoint.actions.watching.guest import Holder, WatchedGuest
from stillpoint.actions.watching.guests import harmless
from stillpoint.evidence import observations
from stillpoint.evidence.document import Subject
from stillpoint.evidence.observations import Cut, Method
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume_claim, volume_snapshot
from stillpoint.velero import marks
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import claim_data, data_upload, fates
from stillpoint.velero.volumes.policy import Fate


@harmless
def note_snapshot(snapshot: Item, claim: Item, context: BackupContext) -> None:
    """Stores the cut of a claim on its VolumeSnapshot, if Velero or this plugin made that now."""
    if not context.is_observed or context.backup.is_finalizing:
        return
    if it.labels(snapshot).get(marks.OF_BACKUP) != marks.label_value(context.backup.name):
        return
    holder = Holder(volume_snapshot.RESOURCE, *it.identify(snapshot))
    _note(claim, holder, context, snapshot, is_of_group=bool(volume_snapshot.group(snapshot)))


@harmless
def note_upload(claim: Item, context: BackupContext) -> None:
    """Stores the cut of a claim on the DataUpload that Velero has made for it, if there is one.

    Args:
        claim: as Velero's own action leaves it.
    """
    upload = claim_data.upload(claim)
    if context.is_observed and upload and _is_velero_moving(claim, context):
        holder = Holder(data_upload.RESOURCE, context.backup.namespace, upload)
        is_of_group = bool(it.labels(claim).get(fates.group_snapshot_label(context.backup.asked)))
        _note(claim, holder, context, is_of_group=is_of_group)


@harmless
def note_volume(volume: Item, context: BackupContext) -> None:
    """Notes that Velero is yet to take the snapshot of the claim of a volume."""
    watching, claim = observer.of(context), claim_data.claim_of_volume(volume)
    if watching is None or context.backup.is_finalizing:
        return
    for guest in watching.guests_of(claim.namespace, claim.name):
        guest.come_to(claim.name, context.clock.now())


def of_own_upload(claim: Item, upload: Item, context: BackupContext) -> Item:
    """A DataUpload of this plugin's, with the cut of its claim."""
    if not context.is_observed:
        return upload
    holder = Holder(data_upload.RESOURCE, *it.identify(upload))
    try:
        cut = replace(_noted(claim, holder, context), uploaded=context.clock.now())
        value = observations.to_annotation(cut, backup_key.of(context))
    except Exception as error:  # noqa: BLE001 - evidence fails no backup
        context.log.info("evidence of it is incomplete: %s", error)
        return upload
    return it.with_annotation(upload, observations.CUT, value)


def _is_velero_moving(claim: Item, context: BackupContext) -> bool:
    """True if Velero's own action has written the name of the upload, and no tenant."""
    is_moved = context.has_csi and fates.moves_data(context.backup.asked)
    return is_moved and policies.fates(context).of(claim) is Fate.SNAPSHOT


def _noted(
    claim: Item, holder: Holder, context: BackupContext, snapshot: Item | None = None
) -> Cut:
    """The cut of a claim that the storage has taken by now; its guests know it from now on."""
    namespace, name = it.identify(claim)
    watching, now = observer.of(context), context.clock.now()
    guests = watching.guests_of(namespace, name) if watching else ()
    reference = persistent_volume_claim.RESOURCE.named(namespace, name)
    in_block = [guest for guest in guests if blocks.has(reference, guest, context)]
    own = context.snapshots.bounds(it.uid(claim))
    before, after = own or (_not_before(name, guests, in_block, context), now)
    for guest in guests:
        guest.cut(holder, now, is_in_block=guest in in_block)
    return Cut(
        claim=Subject(persistent_volume_claim.RESOURCE.kind, name, it.uid(claim)),
        not_before=before,
        not_after=after,
        method=Method.SNAPSHOT if snapshot else Method.MOVED,
        in_block_of=blocks.of_machines(guests, in_block),
        driver=claim_data.driver(snapshot or {}),
        handle=claim_data.handle(snapshot or {}),
        created=it.time(snapshot or {}, "status", "creationTime"),
        machines=tuple(sorted({guest.machine for guest in guests})),
        snapshot=it.uid(snapshot or {}),
    )


def _not_before(
    name: str,
    guests: Sequence[WatchedGuest],
    in_block: Sequence[WatchedGuest],
    context: BackupContext,
) -> datetime | None:
    if not guests:
        return context.backup.started
    return min(guest.last_before(name, is_in_block=guest in in_block) for guest in guests)


def _note(
    claim: Item,
    holder: Holder,
    context: BackupContext,
    snapshot: Item | None = None,
    *,
    is_of_group: bool,
) -> None:
    cut, where = _noted(claim, holder, context, snapshot), it.namespace(claim)

    @harmless
    def store(context: BackupContext) -> None:
        whole = blocks.with_bounds_of_group(cut, where, context) if is_of_group else cut
        _store(whole, holder, context)

    context.note(lambda: store(context))


def _store(cut: Cut, holder: Holder, context: BackupContext) -> None:
    value = observations.to_annotation(cut, backup_key.of(context))
    change = {"metadata": {"annotations": {observations.CUT: value}}}
    context.writer.patch(*holder, change)
