"""One rehearsal from beginning to end: select, build blocks, back up, restore, tell."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from plugin.model.item import Item
from plugin.rehearsal import blocks, machines, restore
from plugin.rehearsal.api_server import ApiServer
from plugin.rehearsal.backup import Backup, back_up
from plugin.rehearsal.errors import LogLine, NothingToRehearse
from plugin.rehearsal.machines import Machine
from plugin.rehearsal.plugin_client import PluginClient
from plugin.rehearsal.process import COMMAND, Deadlines, PluginProcess
from plugin.rehearsal.restore import RestoredItem
from plugin.rehearsal.selection import Selection


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was found.

    Attributes:
        restored: in the order in which Velero would create the items.
        requests: how many the plugin sent to the API server.
        started_s: how long the plugin process took to its first answer.
        log: all that the plugin process said.
    """

    backup: Backup
    restored: tuple[RestoredItem, ...]
    machines: tuple[Machine, ...]
    requests: int
    started_s: float
    log: tuple[LogLine, ...]


def rehearse(
    objects: Sequence[Item],
    namespaces: Collection[str],
    now: datetime,
    command: Sequence[str] = COMMAND,
    deadlines: Deadlines | None = None,
) -> Rehearsal:
    """Back up and restore the objects, as far as that goes without a cluster.

    Args:
        namespaces: to select; empty means all.
        now: aware; the time at which the backup starts.
        command: starts the plugin.

    Raises:
        NothingToRehearse: a namespace is not among the objects.
        PluginFailed: the plugin process did not start or did not answer.
        MalformedItem: a field that decides the result has the wrong type.
    """
    selection = Selection.of(objects, namespaces)
    _check(selection)
    with TemporaryDirectory(prefix="stillpoint-") as folder, ApiServer(objects) as server:
        environment = {"KUBECONFIG": str(server.kubeconfig(Path(folder) / "kubeconfig"))}
        with PluginProcess(environment, command, deadlines) as process:
            client = PluginClient(process, _backup(namespaces, now), _restore())
            backup = back_up(selection, blocks.build(selection, client), client)
            restored = restore.restore(backup.stored, client)
        requests = sum(request.verb in ("get", "list") for request in server.requests)
    log = tuple(process.log)
    restored = tuple(restore.with_reasons(restored, backup.stored, log))
    found = machines.of(selection, backup, restored)
    return Rehearsal(backup, restored, found, requests, process.started_s, log)


def _check(selection: Selection) -> None:
    known = {reference.namespace for reference in selection.cluster if reference.namespace}
    for namespace in sorted(selection.namespaces - known):
        hint = f"there are {', '.join(sorted(known)) or 'none'}"
        cause = "no object in the manifests is in it"
        raise NothingToRehearse(f"namespace {namespace}", "cannot select it", cause, hint)


def _backup(namespaces: Collection[str], now: datetime) -> Item:
    started = now.isoformat(timespec="seconds")
    return {
        **_request("Backup"),
        "spec": {"includedNamespaces": sorted(namespaces) or ["*"], "snapshotVolumes": True},
        "status": {"phase": "InProgress", "startTimestamp": started},
    }


def _restore() -> Item:
    return {**_request("Restore"), "spec": {"backupName": "rehearsal", "restorePVs": True}}


def _request(kind: str) -> Item:
    metadata = {"name": "rehearsal", "namespace": "velero", "uid": str(uuid.uuid4())}
    return {"apiVersion": "velero.io/v1", "kind": kind, "metadata": metadata}
