"""Restores of a disk whose files Velero copies through a pod of the user's own (fs-backup)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.node_agent import NodeAgent
from tests.cluster.pod_volumes import BACKUP, RESTORE, PodVolumes
from tests.cluster.rights import ROLE, without
from tests.cluster.storage import wait_until_bound

SOURCE = "filed"
DB = Machine(SOURCE, "db", disks=(Disk("root"), Disk("data")), has_instancetype=False)
KUBEVIRT = "kubevirt.io/v1"
PREFIX = "stillpoint.dev/"
CONTENT = b"db-data at the backup " * 1000
COPIER: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "copier",
        "namespace": SOURCE,
        "annotations": {"backup.velero.io/backup-volumes": "data"},
    },
    "spec": {
        "containers": [
            {
                "name": "copier",
                "image": "copier:none",
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "db-data"}}],
    },
}


@dataclass
class Filed:
    """A backup of a machine with one disk by snapshot, and one as files."""

    cluster: Cluster
    files: PodVolumes

    def restore(self, namespace: str) -> Object:
        spec = {"backupName": SOURCE, "namespaceMapping": {SOURCE: namespace}}
        return self.cluster.restore(namespace, spec)

    def machine(self, namespace: str) -> Object | None:
        return self.cluster.api.find(KUBEVIRT, "VirtualMachine", namespace, DB.name)

    def strategy(self, namespace: str) -> str:
        return str((self.machine(namespace) or {})["spec"]["runStrategy"])

    def notes(self, namespace: str) -> Object:
        found = (self.machine(namespace) or {})["metadata"]["annotations"]
        return {key[len(PREFIX) :]: found[key] for key in found if key.startswith(PREFIX)}

    def operation(self, restore: str) -> Object:
        [status] = [
            each["status"]
            for each in self.cluster.archive.restore_operations(restore)
            if each["spec"]["restoreItemAction"].startswith(PREFIX)
        ]
        return dict(status)


@pytest.fixture(scope="module")
def filed(cluster: Cluster) -> Iterator[Filed]:
    api, folder = cluster.api, cluster.folder / SOURCE
    cluster.create_namespace(SOURCE)
    cluster.create_vms([DB])
    cluster.disk_image(SOURCE, "db-data").write_bytes(CONTENT)
    api.create(COPIER)
    where = ("v1", "Pod", SOURCE, "copier")
    wait_until(lambda: api.get(*where)["status"].get("phase") == "Running", "the copier runs")
    agent = NodeAgent(api, cluster.storage, folder / "moved")
    folder.mkdir()
    try:
        agent.start()
        with PodVolumes(api, cluster.storage, folder / "files", SOURCE) as files:
            backup = cluster.backup(SOURCE, {"includedNamespaces": [SOURCE]})
            assert backup["status"]["phase"] == "Completed", cluster.backup_log(SOURCE)
            [copy] = files.of(BACKUP, SOURCE)
            assert copy["metadata"]["annotations"]["velero.io/pvc-name"] == "db-data"
            yield Filed(cluster, files)
    finally:
        agent.close()


def test_a_machine_waits_halted_for_the_files_of_its_disk_and_starts_on_them(filed: Filed) -> None:
    target, cluster = "filed-back", filed.cluster
    with ThreadPoolExecutor(1) as worker:
        with filed.files.held():
            restored = worker.submit(filed.restore, target)
            wait_until(lambda: filed.machine(target) is not None, "the machine is created")
            wait_until(lambda: bool(filed.files.of(RESTORE, target)), "its files are to come")
            [copy] = filed.files.of(RESTORE, target)
            assert copy.get("status", {}).get("phase") in (None, "", "New", "InProgress")
            assert filed.strategy(target) == "Halted"
            assert filed.notes(target) == {"start-as": "Always"}
            assert not restored.done()
        assert restored.result()["status"]["phase"] == "Completed", cluster.restore_log(target)
    assert filed.strategy(target) == "Always"
    assert filed.notes(target).keys() == {"started"}
    assert filed.operation(target)["description"].endswith("1 of 1 disks bound; started as Always")
    wait_until_bound(cluster.api, target)
    assert cluster.disk_image(target, "db-data").read_bytes() == CONTENT


def test_a_machine_stays_halted_when_the_files_of_its_disk_do_not_come(filed: Filed) -> None:
    target = "filed-broken"
    filed.files.fail_in(target)
    restored = filed.restore(target)
    assert restored["status"]["phase"] == "PartiallyFailed"
    [copy] = filed.files.of(RESTORE, target)
    error = filed.operation(target)["error"]
    name = copy["metadata"]["name"]
    assert error.startswith(
        f"{target}/db: db-data lacks files of pod copier: PodVolumeRestore {name} Failed: the "
        "repository is broken; it stays halted"
    )
    assert filed.strategy(target) == "Halted"
    assert filed.notes(target).keys() == {"start-as", "not-started"}


def test_without_the_right_to_see_the_files_a_warning_says_so(filed: Filed) -> None:
    target = "filed-unseen"
    with without(filed.cluster, (*ROLE, "stillpoint"), "podvolumebackups"):
        restored = filed.restore(target)
    assert restored["status"]["phase"] == "Completed"
    assert filed.strategy(target) == "Always"
    told = str(filed.cluster.restore_results(target)["warnings"])
    assert told.count("no right to list podvolumebackups.velero.io in velero") == 1
