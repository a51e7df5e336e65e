"""A restore of given objects through our actions, without a cluster."""

from collections.abc import Mapping, Sequence

from stillpoint import catalogue
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.plugin.action_log import ActionLog
from stillpoint.rehearsal.plugin.calls import RestoreCalls
from stillpoint.rehearsal.plugin.rehearsed_cluster import RehearsedCluster
from stillpoint.rehearsal.plugin.stored_backup import StoredBackup
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import restore_request
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, restore
from tests.unit.memory_archive import reference

BACKUP: Item = {"kind": "Backup", "metadata": {"name": "b", "namespace": "velero"}}


def restored(
    archive: Sequence[Item], asked: Item, cluster: Sequence[Item] = ()
) -> Mapping[str, RestoredItem]:
    """What becomes of each object, by `VirtualMachine db`, in Velero's order.

    Args:
        archive: what the backup holds.
        cluster: what exists where it is restored.
    """
    stored = {reference(item): item for item in archive}
    started = restore_request.begin(asked, BACKUP)
    rules = restore_request.rules(started, Known.of_manifests(archive, "").discovery)
    existing = RehearsedCluster({reference(item): item for item in cluster})
    logger = ActionLog().logger
    calls = RestoreCalls(catalogue, started, existing, StoredBackup(stored), logger)
    done = restore(stored, calls, rules)
    return {
        f"{stored[one.reference]['kind']} {it.name(stored[one.reference])}": one for one in done
    }
