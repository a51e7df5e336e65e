"""One rehearsal from beginning to end: select, build blocks, back up, restore, tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.rehearsal import backup_request as backup_requests
from stillpoint.rehearsal import blocks, extracted, machines, restore, snapshots
from stillpoint.rehearsal import restore_request as restore_requests
from stillpoint.rehearsal.api_server import ApiServer
from stillpoint.rehearsal.backup import Backup, back_up
from stillpoint.rehearsal.errors import LogLine, NothingToRehearse
from stillpoint.rehearsal.known import Known
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.plugin_client import PluginClient
from stillpoint.rehearsal.process import COMMAND, Deadlines, PluginProcess
from stillpoint.rehearsal.restore import Restoration, RestoredItem
from stillpoint.rehearsal.selection import NAMESPACE, Selection
from stillpoint.rehearsal.verdict.case import Surroundings
from stillpoint.velero import own_objects
from stillpoint.velero.selection import glob


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was found.

    Attributes:
        restored: in the order in which Velero would create the items.
        is_into_cluster: whether the restore goes into the cluster that was read.
        requests: how many the plugin sent to the API server.
        started_s: how long the plugin process took to its first answer.
        log: all that the plugin process said.
    """

    known: Known
    selection: Selection
    backup: Backup
    restored: tuple[RestoredItem, ...]
    machines: tuple[Machine, ...]
    requests: int
    started_s: float
    log: tuple[LogLine, ...]
    is_into_cluster: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be rehearsed.

    Attributes:
        backup: a Backup object, as a user writes it.
        restore: a Restore object; of one that is None, everything comes back to an empty cluster.
        now: aware; the time at which the backup starts.
    """

    backup: Item
    now: datetime
    restore: Item | None = None


def rehearse(
    known: Known,
    wanted: Wanted,
    command: Sequence[str] = COMMAND,
    deadlines: Deadlines | None = None,
) -> Rehearsal:
    """Back up and restore, as far as that goes without writing anything.

    Args:
        command: starts the plugin.

    Raises:
        NothingToRehearse: a namespace is not known, or Velero would refuse the specification.
        PluginFailed: the plugin process did not start or did not answer.
        MalformedItem: a field that decides the result has the wrong type.
    """
    backup_request = backup_requests.started(wanted.backup, known, wanted.now)
    restore_request = restore_requests.started(
        wanted.restore or restore_requests.plain(), backup_request
    )
    selection = Selection.of(known, backup_request)
    _check(selection, backup_request)
    rules = restore_requests.rules(restore_request, known.discovery)
    target = selection.cluster if wanted.restore else {}
    with (
        extracted.temporary_folder() as folder,
        ApiServer(_served(selection, backup_request)) as server,
    ):
        kubeconfig = server.kubeconfig(Path(folder) / "kubeconfig")
        environment = {"KUBECONFIG": str(kubeconfig), "TMPDIR": folder}
        with PluginProcess(environment, command, deadlines) as process:
            client = PluginClient(process, backup_request, restore_request)
            backup = back_up(selection, blocks.build(selection, client), client, backup_request)
            backup = snapshots.noted(backup, selection, backup_request)
            extracted.write(backup.stored, Path(folder) / "backup")
            if not wanted.restore:
                server.clear()  # the restore has a view of its own, and looks into its target
            restored = restore.restore(backup.stored, client, rules, target)
        requests = sum(request.verb in ("get", "list") for request in server.requests)
    log = tuple(process.log)
    restored = tuple(restore.with_reasons(restored, backup.stored, log))
    restoration = Restoration(restored, restore_request, target)
    around = Surroundings.of(known, selection, backup_request, backup, restoration)
    return Rehearsal(
        known,
        selection,
        backup,
        restored,
        machines.of(around),
        requests,
        process.started_s,
        log,
        wanted.restore is not None,
    )


def _served(selection: Selection, backup: Item) -> Iterable[Item]:
    """What the plugin can read: the cluster, and the Backup, which a restore looks at."""
    reference = own_objects.BACKUP.named(*it.identify(backup))
    return {**selection.cluster, reference: backup}.values()


def _check(selection: Selection, backup: Item) -> None:
    known = {reference.namespace for reference in selection.cluster if reference.namespace}
    known |= {reference.name for reference in selection.cluster if reference.is_of(NAMESPACE)}
    for namespace in it.texts(backup, "spec", "includedNamespaces"):
        if namespace not in known and not glob.is_pattern(namespace):
            hint = f"there are {listing(sorted(known)) or 'none'}"
            cause = "no object that was read is in it"
            raise NothingToRehearse(f"namespace {namespace}", "cannot select it", cause, hint)
