"""A restore of given objects through the real plugin process, without a cluster."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal import extracted, restore_request
from stillpoint.rehearsal.api_server import ApiServer
from stillpoint.rehearsal.known import Known
from stillpoint.rehearsal.plugin_client import PluginClient
from stillpoint.rehearsal.process import PluginProcess
from stillpoint.rehearsal.restore import RestoredItem, restore
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
    started = restore_request.started(asked, BACKUP)
    rules = restore_request.rules(started, Known.of_manifests(archive, "").discovery)
    with TemporaryDirectory() as folder, ApiServer(cluster) as server:
        extracted.write(stored, Path(folder) / "4711")
        kubeconfig = server.kubeconfig(Path(folder) / "kubeconfig")
        with PluginProcess({"KUBECONFIG": str(kubeconfig), "TMPDIR": folder}) as process:
            done = restore(stored, PluginClient(process, BACKUP, started), rules)
    return {
        f"{stored[one.reference]['kind']} {it.name(stored[one.reference])}": one for one in done
    }
