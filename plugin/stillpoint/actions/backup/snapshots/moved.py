"""Snapshots whose bytes a data mover stores: a DataUpload for each, as Velero makes it.

The work goes on as an operation. All that a later process knows of it is the operation's id, from
which the name of the DataUpload follows.

Source: pkg/backup/actions/csi/pvc_action.go of Velero v1.18.
"""

from dataclasses import replace

from stillpoint.actions.backup.evidence import cuts
from stillpoint.actions.backup.snapshots.discard import discard
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Refusal, StillpointError, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Progress
from stillpoint.velero import node_agent
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import claim_data, data_movement, data_upload, fates
from stillpoint.velero.volumes.own_snapshots import Taken

_ATTEMPT = "cannot move its data"
_HINT_WITHOUT_MOVER = (
    "deploy the node agent (velero install --use-node-agent; with OADP "
    "spec.configuration.nodeAgent.enable: true), or back up without snapshotMoveData"
)


def check_mover(claim: Item, context: BackupContext) -> None:
    """Checks, before anything is taken, that somebody would move the data.

    Velero 1.18 does so too; with an older one the operation runs into its time-out of four hours.

    Raises:
        Refusal: no node agent is ready.
    """
    backup = context.backup
    if not fates.has_builtin_mover(backup.asked):
        return
    for name in node_agent.NAMES:
        found = context.cluster.single(node_agent.RESOURCE, backup.namespace, name)
        if found and node_agent.is_ready(found):
            return
    cause = f"no node agent of Velero is ready in namespace {backup.namespace}"
    raise Refusal(it.describe(claim), _ATTEMPT, cause, _HINT_WITHOUT_MOVER)


def upload(claim: Item, context: BackupContext) -> Item | None:
    """The DataUpload of a claim that a former process of this backup has made; None without one.

    The data mover may have deleted its snapshot since, which then must not be taken again.
    """
    backup = context.backup
    if not fates.moves_data(backup.asked):
        return None
    found = context.cluster.list_grouped(
        data_upload.RESOURCE,
        backup.namespace,
        data_upload.claim_uids,
        data_upload.selector(backup.asked),
    )
    return next(iter(found.get(it.uid(claim), ())), None)


def begin(claim: Item, taken: Taken, context: BackupContext) -> Item:
    """Makes the DataUpload of a claim, whose name is the same in each attempt.

    Raises:
        StillpointError: there is none, and its snapshot will be discarded.
    """
    try:
        return _create(claim, taken, context)
    except StillpointError:
        snapshot = kinds.VOLUME_SNAPSHOT.named(*it.identify(taken.snapshot))
        context.background(lambda: discard(snapshot, it.name(claim), context))
        raise


def outcome(claim: Item, upload: Item, context: BackupContext) -> BackupOutcome:
    """The outcome for a claim whose data is on its way."""
    namespace, name = it.identify(upload)
    snapshot = data_upload.snapshot(upload).name
    stored = claim_data.with_snapshot(claim, snapshot, context.backup.name, 0)
    return BackupOutcome(
        claim_data.with_upload(stored, f"{namespace}/{name}"),
        operation=data_upload.operation(context.backup.asked, claim),
        after_operation=(data_upload.RESOURCE.named(namespace, name),),
    )


def progress(operation: str, context: BackupContext) -> Progress:
    """The progress of a DataUpload, as Velero reports that of its own; a failure with its remedy.

    Raises:
        Refusal: the DataUpload is gone.
    """
    found = _find(operation, context)
    reported = data_movement.progress(found, context.clock.now())
    if reported.error:
        return replace(reported, error=str(_failure(found, reported.error)))
    if data_movement.is_new(found):
        return replace(reported, description="New: no node agent has accepted it")
    return reported


def cancel(operation: str, context: BackupContext) -> None:
    """Cancels a DataUpload; the data mover discards its snapshot, or we do if none has begun.

    Raises:
        StillpointError: the DataUpload is gone, or cannot be cancelled.
    """
    found = _find(operation, context)
    context.log.info("cancelled: the data of %s is not moved", data_upload.claim(found))
    namespace, name = it.identify(found)
    context.writer.patch(data_upload.RESOURCE, namespace, name, data_movement.cancellation())
    if data_movement.is_new(found):
        discard(data_upload.snapshot(found), data_upload.claim(found).name, context)


def _create(claim: Item, taken: Taken, context: BackupContext) -> Item:
    bare = data_upload.new(context.backup.asked, claim, taken.snapshot, taken.content)
    made = cuts.of_own_upload(claim, bare, context)
    namespace, name = it.identify(made)
    lost: StillpointError | None = None
    try:
        created = context.writer.create(data_upload.RESOURCE, made)
    except Unreachable as error:  # the request may have arrived: a data mover would be at work
        created, lost = None, error
    if created is not None:
        context.log.info("its data is moved by DataUpload %s/%s", namespace, name)
        return created
    found = context.cluster.current(data_upload.RESOURCE, namespace, name)
    if found is not None and data_upload.is_of(found, context.backup.asked, claim):
        return found
    if lost:
        raise lost
    cause = f"DataUpload {namespace}/{name} exists, and is not of this backup"
    raise Refusal(it.describe(claim), _ATTEMPT, cause, "delete it, and back up again")


def _find(operation: str, context: BackupContext) -> Item:
    backup = context.backup
    name = data_upload.name(backup.asked, operation)
    found = context.cluster.current(data_upload.RESOURCE, backup.namespace, name)
    if found is not None:
        return found
    subject = f"DataUpload {backup.namespace}/{name}"
    cause = f"it is gone, with the data of operation {operation}"
    raise Refusal(subject, "cannot tell its progress", cause, "back up again")


def _failure(upload: Item, cause: str) -> StillpointError:
    node = data_movement.node(upload)
    where = f" on node {node}" if node else ""
    hint = f"read the log of Velero's node agent{where}, and back up again"
    claim = data_upload.claim(upload)
    subject = f"PersistentVolumeClaim {claim.namespace}/{claim.name}"
    cause = f"{it.describe(upload)}: {cause}"
    return StillpointError(subject, "its data was not moved", cause, hint)
