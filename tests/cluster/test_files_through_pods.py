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
RAW = Machine(SOURCE, "raw", disks=(Disk("root"), Disk("data", "Block")), has_instancetype=False)
KUBEVIRT = "kubevirt.io/v1"
PREFIX = "stillpoint.dev/"
CONTENT = b"db-data at the backup " * 1000


def copier(machine: Machine, **mounted: list[Object]) -> Object:
    """A pod that mounts the data of a machine, and asks for a copy of its files."""
    claim = {"claimName": f"{machine.name}-data"}
    container = {"name": "copier", "image": "copier:none", **mounted}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{machine.name}-copier",
            "namespace": SOURCE,
            "annotations": {"backup.velero.io/backup-volumes": "data"},
        },
        "spec": {
            "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": claim}],
        },
    }


PODS = [
    copier(DB, volumeMounts=[{"name": "data", "mountPath": "/data"}]),
    copier(RAW, volumeDevices=[{"name": "data", "devicePath": "/dev/data"}]),
]


@dataclass
class Filed:
    """A backup of machines with one disk by snapshot, and one that is to be copied as files.

    Velero leaves out that of the second machine, a block device, and makes no PodVolumeBackup.
    """

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
    cluster.create_vms([DB, RAW])
    cluster.disk_image(SOURCE, "db-data").write_bytes(CONTENT)
    for each in PODS:
        api.create(each)
    wait_until(lambda: all(map(is_running, api.list("v1", "Pod", SOURCE))), "the copiers run")
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


def is_running(pod: Object) -> bool:
    return bool(pod["status"].get("phase") == "Running")


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


def test_a_disk_whose_files_velero_never_began_to_copy_does_not_come_back_empty(
    filed: Filed,
) -> None:
    """CDI, which knows where the machine has it from, is left to make it."""
    target, api = "filed-never", filed.cluster.api
    assert filed.restore(target)["status"]["phase"] == "Completed"
    names = [one["metadata"]["name"] for one in api.list("v1", "PersistentVolumeClaim", target)]
    assert sorted(names) == ["db-data", "db-root", "raw-root"]
    told = str(filed.cluster.restore_results(target)["warnings"])
    why = "to be copied as files through pod raw-copier, of which Velero has no PodVolumeBackup"
    assert f"raw comes back without data: raw-data ({why}; CDI populates it again)" in told


def test_a_machine_stays_halted_when_the_files_of_its_disk_do_not_come(filed: Filed) -> None:
    target = "filed-broken"
    filed.files.fail_in(target)
    restored = filed.restore(target)
    assert restored["status"]["phase"] == "PartiallyFailed"
    [copy] = filed.files.of(RESTORE, target)
    error = filed.operation(target)["error"]
    name = copy["metadata"]["name"]
    assert error.startswith(
        f"{target}/db: db-data lacks files of pod db-copier: PodVolumeRestore {name} Failed: the "
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
