"""A backup and a restore of given objects, once in this process and once through the plugin's."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.plugin.action_log import LogLine
from stillpoint.rehearsal.rehearsal import Wanted, rehearse
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import (
    backup_request,
    blocks,
    file_copies,
    restore_request,
    snapshots,
)
from stillpoint.rehearsal.velero_steps.backup import BackupContents, back_up
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, restore, with_reasons
from stillpoint.rehearsal.velero_steps.selection import Selection
from tests.api_server.server import ApiServer, Request
from tests.plugin_process import extracted
from tests.plugin_process.client import PluginClient
from tests.plugin_process.process import PluginProcess

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Outcome:
    """What the actions decided, and how many requests that took."""

    backup: BackupContents
    restored: Sequence[RestoredItem]
    requests: int


def in_this_process(objects: Sequence[Item], backup: Item, asked: Item | None) -> Outcome:
    """As `stillpoint rehearse` does.

    Args:
        backup: the Backup.
        asked: the Restore, into the cluster that has the objects; None for an empty one.
    """
    found = rehearse(Known.of_manifests(objects, "a test"), Wanted(backup, NOW, asked))
    return Outcome(found.backup, found.restored, found.requests)


def over_the_wire(
    objects: Sequence[Item], backup: Item, asked: Item | None, folder: Path
) -> Outcome:
    """By the same steps, with calls that go to the plugin's process.

    Args:
        folder: empty; for the kubeconfig, and for the backup as Velero extracts it.
    """
    known = Known.of_manifests(objects, "a test")
    request = backup_request.begin(backup, known, NOW)
    restored_as = restore_request.begin(asked or restore_request.plain(), request)
    selection = Selection.of(known, request)
    rules = restore_request.rules(restored_as, known.discovery)
    served = [*selection.cluster.values(), {"apiVersion": "velero.io/v1", **request}]
    with _process(served, folder) as (server, process):
        client = PluginClient(process, request, restored_as)
        contents = back_up(selection, blocks.build(selection, client), client, request)
        contents = snapshots.with_snapshots(contents, selection, request)
        for_seal = sum(_is_of_backup(one) for one in server.requests)
        extracted.write(contents.stored, folder / "backup")
        if not asked:
            server.clear()
        namespace = it.namespace(restored_as)
        for copy in file_copies.assumed(contents, selection, request, namespace).values():
            server.add(it.with_value(copy, namespace, "metadata", "namespace"))
        target: Mapping[Reference, Item] = selection.cluster if asked else {}
        items = restore(contents.stored, client, rules, target)
    lines = [
        LogLine(line.fields.get("action", ""), line.fields.get("item", ""), line.message)
        for line in process.log
    ]
    verbs = ("get", "list", "create", "update")
    requests = sum(one.verb in verbs and not _is_for_evidence(one) for one in server.requests)
    restored = with_reasons(items, contents.stored, lines)
    return Outcome(contents, restored, requests - for_seal)


def _is_for_evidence(request: Request) -> bool:
    """True if the plugin's process watches a guest with it, which a rehearsal does not."""
    is_namespace = re.fullmatch("/api/v1/namespaces/[^/]+", request.path) is not None
    return is_namespace or request.path.endswith("/log") or "fieldSelector" in request.query


def _is_of_backup(request: Request) -> bool:
    """True if it reads a Backup: while it is taken, for the secret that seals what is seen."""
    return request.verb == "get" and "/backups/" in request.path


@contextmanager
def _process(served: Sequence[Item], folder: Path) -> Iterator[tuple[ApiServer, PluginProcess]]:
    with ApiServer(served, takes_snapshots=True) as server:
        kubeconfig = server.kubeconfig(folder / "kubeconfig")
        environment = {"KUBECONFIG": str(kubeconfig), "TMPDIR": str(folder)}
        with PluginProcess(environment) as process:
            yield server, process
