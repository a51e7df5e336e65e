"""A rehearsal of the restore of a finished backup, into whatever cluster."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from stillpoint import catalogue as own
from stillpoint.backup_files.books import Claim
from stillpoint.calls.action import Catalogue
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal import machines
from stillpoint.rehearsal.plugin import outlook
from stillpoint.rehearsal.plugin.action_log import ActionLog
from stillpoint.rehearsal.plugin.calls import RestoreCalls
from stillpoint.rehearsal.plugin.outlook import Outlook
from stillpoint.rehearsal.plugin.rehearsed_cluster import RehearsedCluster
from stillpoint.rehearsal.plugin.stored_backup import StoredBackup
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.sources.finished_backup import FinishedBackup
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import restore, restore_request
from stillpoint.rehearsal.velero_steps.backup import BackedUpItem, BackupContents, BackupResult
from stillpoint.rehearsal.velero_steps.restore import Restoration
from stillpoint.rehearsal.velero_steps.selection import Selection
from stillpoint.rehearsal.verdict.case import Surroundings
from stillpoint.rehearsal.verdict.destination import Destination
from stillpoint.rehearsal.verdict.ended_backup import EndedBackup
from stillpoint.resources.machines import pod
from stillpoint.velero import own_objects
from stillpoint.velero.selection.discovery import Discovery
from stillpoint.velero.volumes import pod_volume
from stillpoint.velero.volumes.volume_info import Method, VolumeInfo

_BACKUP = own_objects.BACKUP


def rehearse_restore(
    finished: FinishedBackup, target: Known, asked: Item, now: datetime, catalogue: Catalogue = own
) -> Rehearsal:
    """Restores a finished backup, as far as that goes without writing anything.

    Args:
        target: what is known of the cluster into which it would go.
        asked: a Restore, as a user writes it.
        now: by which the backup expires.
        catalogue: the actions.

    Raises:
        NothingToRehearse: a label selector of the Restore is none.
        MalformedItem: a field that decides the result has the wrong type.
    """
    found = finished.backup or _at_target(finished.name, target)
    backup = found or _without_fields(finished.name)
    request = restore_request.begin(asked, backup)
    rules = restore_request.rules(request, target.discovery)
    there = {reference: item for reference, _, item in target.placed()}
    log = ActionLog()
    of_backup = _BACKUP.named(it.namespace(request), it.name(backup))
    copies = dict(_copies(finished, it.namespace(request)))
    cluster = RehearsedCluster({**there, **copies, **({of_backup: found} if found else {})})
    archive = StoredBackup(finished.stored)
    calls = RestoreCalls(catalogue, request, cluster, archive, log.logger)
    restored = restore.restore(finished.stored, calls, rules, there)
    restored = tuple(restore.with_reasons(restored, finished.stored, log.lines))
    destination = Destination.of(
        target, finished.stored, restored, dict(_outlooks(finished.stored, calls))
    )
    ended = EndedBackup(found, now, archive, finished.books)
    known = _known(finished, target)
    selection = Selection.of(known, it.without(backup, "spec", "resourcePolicy"))
    contents = _contents(finished.stored)
    around = Surroundings.of(
        known, selection, backup, contents, Restoration(restored, request, there)
    )
    return Rehearsal(
        known,
        selection,
        contents,
        restored,
        machines.of(replace(around, destination=destination, ended=ended)),
        cluster.requests,
        tuple(log.lines),
        is_into_cluster=True,
        of=finished.name,
    )


def _at_target(name: str, target: Known) -> Item | None:
    """The Backup as the target knows it, which has it of the same object store."""
    of_target = (item for reference, _, item in target.placed() if reference.is_of(_BACKUP))
    return next((one for one in of_target if it.name(one) == name), None)


def _copies(finished: FinishedBackup, namespace: str) -> Iterator[tuple[Reference, Item]]:
    """The PodVolumeBackups that Velero has in its namespace, by the backup's book of volumes."""
    volumes = finished.books.volumes
    copies = _any_copies(finished) if volumes is None else _told_copies(finished.name, volumes)
    for copy in copies:
        yield pod_volume.BACKUP.named(namespace, it.name(copy)), copy


def _told_copies(name: str, volumes: Mapping[Claim, VolumeInfo]) -> Iterator[Item]:
    for claim, info in volumes.items():
        if info.method is Method.FILES:
            yield pod_volume.new(name, claim, info.pod, info.phase, info.handle)


def _any_copies(finished: FinishedBackup) -> Iterator[Item]:
    """A PodVolumeBackup of each claim through each pod, without files.

    Where no book tells, Velero may have made one: it is not known to be missing, nor what it has.
    """
    for reference, item in finished.stored.items():
        for claim in pod.claims(item) if reference.is_of(pod.RESOURCE) else ():
            named = reference.namespace, claim
            yield pod_volume.new(finished.name, named, reference.name, "Completed", "")


def _without_fields(name: str) -> Item:
    """A Backup of which only the name is known; no action may read it."""
    metadata = {"name": name, "namespace": "velero"}
    return {"apiVersion": "velero.io/v1", "kind": _BACKUP.kind, "metadata": metadata, "spec": {}}


def _known(finished: FinishedBackup, target: Known) -> Known:
    origin = f"backup {finished.name} into {target.origin}"
    stored, discovery = tuple(finished.stored.values()), Discovery(finished.resources)
    return Known(stored, discovery, frozenset(), origin, target.unread)


def _contents(stored: Mapping[Reference, Item]) -> BackupContents:
    items = {
        reference: BackedUpItem(reference, BackupResult.STORED, 0, item)
        for reference, item in stored.items()
    }
    return BackupContents((), items, {}, stored)


def _outlooks(
    stored: Mapping[Reference, Item], calls: RestoreCalls
) -> Iterator[tuple[Reference, Outlook]]:
    for reference, item in stored.items():
        if machines.is_machine(reference, item):
            with suppress(MalformedItem):  # its verdict is that it cannot be read
                yield reference, outlook.of(calls.context(item))
