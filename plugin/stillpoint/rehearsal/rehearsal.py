"""A rehearsal from beginning to end: select, build blocks, back up, restore, judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stillpoint import catalogue as own
from stillpoint.calls.action import Catalogue
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.rehearsal import machines
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.plugin.action_log import ActionLog, LogLine
from stillpoint.rehearsal.plugin.calls import BackupCalls, RestoreCalls
from stillpoint.rehearsal.plugin.rehearsed_cluster import RehearsedCluster
from stillpoint.rehearsal.plugin.rehearsed_storage import RehearsedStorage
from stillpoint.rehearsal.plugin.stored_backup import StoredBackup
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import backup_request as backup_requests
from stillpoint.rehearsal.velero_steps import blocks, file_copies, restore, snapshots
from stillpoint.rehearsal.velero_steps import restore_request as restore_requests
from stillpoint.rehearsal.velero_steps.backup import BackupContents, back_up
from stillpoint.rehearsal.velero_steps.restore import Restoration, RestoredItem
from stillpoint.rehearsal.velero_steps.selection import Selection
from stillpoint.rehearsal.verdict.case import Surroundings
from stillpoint.velero import own_objects
from stillpoint.velero.selection import glob
from stillpoint.velero.volumes import snapshotter


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The results of a rehearsal.

    Attributes:
        restored: in the order in which Velero would create the items.
        is_into_cluster: true if the restore goes into the cluster that was read.
        requests: number of requests that the plugin would send to the API server.
        log: lines that actions logged.
        of: name of the finished backup that is restored; empty if the backup is rehearsed, too.
    """

    known: Known
    selection: Selection
    backup: BackupContents
    restored: tuple[RestoredItem, ...]
    machines: tuple[Machine, ...]
    requests: int
    log: tuple[LogLine, ...]
    is_into_cluster: bool = False
    of: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The Backup and Restore to rehearse.

    Attributes:
        backup: a Backup object, as a user writes it.
        restore: a Restore object; None restores everything to an empty cluster.
        now: aware; the time at which the backup starts.
    """

    backup: Item
    now: datetime
    restore: Item | None = None


def rehearse(known: Known, wanted: Wanted, catalogue: Catalogue = own) -> Rehearsal:
    """Back up and restore, as far as that goes without writing anything.

    Args:
        catalogue: the actions.

    Raises:
        NothingToRehearse: a namespace is not known, or Velero would refuse the specification.
        Refusal: Velero would refuse the policies, or the plugin what it is asked to take itself.
        MalformedItem: a field that decides the result has the wrong type.
    """
    backup_request = backup_requests.begin(wanted.backup, known, wanted.now)
    restore_request = restore_requests.begin(
        wanted.restore or restore_requests.plain(), backup_request
    )
    selection = Selection.of(known, backup_request)
    _check(selection, backup_request)
    rules = restore_requests.rules(restore_request, known.discovery)
    target = selection.cluster if wanted.restore else {}
    log = ActionLog()

    readable = _readable(selection, backup_request)
    started = it.text(backup_request, "status", "startTimestamp")
    assumed = snapshots.assumed(known, selection, backup_request)
    source = RehearsedStorage({**readable, **assumed}, started)
    calls = BackupCalls(catalogue, backup_request, source, log.logger)
    backup = back_up(selection, blocks.build(selection, calls), calls, backup_request)
    backup = snapshots.with_snapshots(backup, selection, backup_request)

    copies = file_copies.assumed(backup, selection, backup_request, it.namespace(restore_request))
    restored_to = RehearsedCluster({**(readable if wanted.restore else {}), **copies})
    archives = StoredBackup(backup.stored)
    restore_calls = RestoreCalls(catalogue, restore_request, restored_to, archives, log.logger)
    restored = restore.restore(backup.stored, restore_calls, rules, target)
    restored = tuple(restore.with_reasons(restored, backup.stored, log.lines))

    restoration = Restoration(restored, restore_request, target)
    around = Surroundings.of(known, selection, backup_request, backup, restoration)
    return Rehearsal(
        known,
        selection,
        backup,
        restored,
        machines.of(around),
        source.requests + restored_to.requests,
        tuple(log.lines),
        wanted.restore is not None,
    )


def _readable(selection: Selection, backup: Item) -> Mapping[Reference, Item]:
    """Objects that the plugin can read: the cluster, and the Backup, which a restore reads."""
    reference = own_objects.BACKUP.named(*it.identify(backup))
    return {**selection.cluster, reference: backup}


def _check(selection: Selection, backup: Item) -> None:
    selection.policy.check()
    snapshotter.check(backup)
    known = {reference.namespace for reference in selection.cluster if reference.namespace}
    known |= {reference.name for reference in selection.cluster if reference.is_of(kinds.NAMESPACE)}
    for namespace in it.texts(backup, "spec", "includedNamespaces"):
        if namespace not in known and not glob.is_pattern(namespace):
            hint = f"there are {listing(sorted(known)) or 'none'}"
            cause = "no object that was read is in it"
            raise NothingToRehearse(f"namespace {namespace}", "cannot select it", cause, hint)
