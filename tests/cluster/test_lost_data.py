"""Restores that do not bring the data of disks: no empty disk says that it is filled.

CDI is not here, so a claim that is left to it stays away; with its marks off, CDI would make it.
"""

from dataclasses import dataclass, field

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import VIRTUAL_MACHINES, drop_finalizers, wait_until
from tests.cluster.storage import wait_until_bound

SOURCE, METADATA = "lossy", "lossy-metadata"
DB = Machine(SOURCE, "db", disks=(Disk("root"), Disk("data", "Block")), has_instancetype=False)
KIOSK = Machine(SOURCE, "kiosk", has_instancetype=False)
KUBEVIRT = "kubevirt.io/v1"
CDI = "cdi.kubevirt.io/v1beta1"
CLAIM = ("v1", "PersistentVolumeClaim")
FILLED = "cdi.kubevirt.io/storage.prePopulated"
POPULATED = "cdi.kubevirt.io/storage.populatedFor"
NOT_STARTED = "stillpoint.dev/not-started"


@dataclass
class Lossy:
    """Two backups of one namespace, of disks and of metadata alone, and what was restored."""

    cluster: Cluster
    restores: dict[str, Object] = field(default_factory=dict)

    def restore(self, name: str, backup: str, target: str, **spec: object) -> None:
        asked = {"backupName": backup, "namespaceMapping": {SOURCE: target}, **spec}
        self.restores[name] = self.cluster.restore(name, asked)

    def warnings(self, name: str) -> str:
        found = self.cluster.restore_results(name)["warnings"]
        return str(found.get("namespaces", {}))

    def machine(self, namespace: str, name: str) -> Object:
        return self.cluster.api.get(KUBEVIRT, "VirtualMachine", namespace, name)

    def is_filled(self, namespace: str, name: str) -> bool:
        filler = self.cluster.api.get(CDI, "DataVolume", namespace, name)
        return FILLED in filler["metadata"].get("annotations", {})

    def claims(self, namespace: str) -> dict[str, Object]:
        found = self.cluster.api.list(*CLAIM, namespace)
        return {each["metadata"]["name"]: each for each in found}


def content(claim: str) -> bytes:
    return f"{claim} at the backup ".encode() * 1000


@pytest.fixture(scope="module")
def lossy(cluster: Cluster) -> Lossy:
    cluster.create_namespace(SOURCE)
    cluster.create_vms([DB, KIOSK])
    make_blank(cluster)
    where = (*CLAIM, SOURCE, KIOSK.claim(KIOSK.disks[0]))
    cluster.api.patch(*where, {"metadata": {"labels": {"velero.io/exclude-from-backup": "true"}}})
    for disk in DB.disks:
        cluster.disk_image(SOURCE, DB.claim(disk)).write_bytes(content(DB.claim(disk)))
    cluster.backup(SOURCE, {"includedNamespaces": [SOURCE]})
    metadata = {"velero.kubevirt.io/metadataBackup": "true"}
    spec = {"includedNamespaces": [SOURCE], "snapshotVolumes": False}
    cluster.backup(METADATA, spec, labels=metadata)

    found = Lossy(cluster)
    found.restore("lossy-whole", SOURCE, "lossy-whole")
    found.restore("lossy-empty", SOURCE, "lossy-empty", restorePVs=False)
    found.restore("lossy-excluded", SOURCE, "lossy-excluded", excludedResources=["pvc"])
    found.restore("lossy-nothing", METADATA, "lossy-nothing")
    forget_db(cluster, "lossy-whole")
    found.restore("lossy-onto", METADATA, "lossy-whole")
    return found


def forget_db(cluster: Cluster, namespace: str) -> None:
    """The machine and its DataVolumes go, its claims stay."""
    drop_finalizers(cluster.api, VIRTUAL_MACHINES[0], namespace)
    fillers = [(CDI, "DataVolume", namespace, DB.claim(disk)) for disk in DB.disks]
    gone = [(KUBEVIRT, "VirtualMachine", namespace, DB.name), *fillers]
    for where in gone:
        cluster.api.delete(*where)
    wait_until(lambda: not any(cluster.api.find(*one) for one in gone), "db is gone")


def make_blank(cluster: Cluster) -> None:
    """The data disk of db was made blank, and has all it holds from its guest."""
    api = cluster.api
    source: Object = {"blank": {}, "registry": None}
    api.patch(CDI, "DataVolume", SOURCE, "db-data", {"spec": {"source": source}})
    machine = api.get(KUBEVIRT, "VirtualMachine", SOURCE, "db")
    templates = machine["spec"]["dataVolumeTemplates"]
    for each in templates:
        if each["metadata"]["name"] == "db-data":
            each["spec"]["source"] = {"blank": {}}
    where = (KUBEVIRT, "VirtualMachine", SOURCE, "db")
    api.patch(*where, {"spec": {"dataVolumeTemplates": templates}})


def test_with_their_data_disks_are_marked_as_filled_and_machines_start(lossy: Lossy) -> None:
    wait_until_bound(lossy.cluster.api, "lossy-whole")
    for name in ("db-root", "db-data"):
        held = lossy.cluster.disk_image("lossy-whole", name).read_bytes().rstrip(b"\0")
        assert held == content(name)
        assert POPULATED in lossy.claims("lossy-whole")[name]["metadata"]["annotations"]
    assert lossy.is_filled("lossy-whole", "db-root")
    assert "db comes back without data" not in lossy.warnings("lossy-whole")


def test_a_template_fills_the_disk_anew_whose_claim_was_left_out(lossy: Lossy) -> None:
    assert not lossy.is_filled("lossy-whole", "kiosk-root")
    assert lossy.machine("lossy-whole", "kiosk")["spec"]["runStrategy"] == "Always"
    lost = "kiosk-root (the backup has no such claim; CDI populates it"
    assert f"kiosk comes back without data: {lost}" in lossy.warnings("lossy-whole")


@pytest.mark.parametrize("name", ["lossy-empty", "lossy-excluded", "lossy-nothing"])
def test_no_disk_without_data_is_marked_and_no_machine_starts_on_it(
    lossy: Lossy, name: str
) -> None:
    phase = lossy.restores[name]["status"]["phase"]
    assert phase == "Completed", lossy.cluster.restore_log(name)
    assert lossy.claims(name) == {}
    for disk in ("db-root", "db-data"):
        assert not lossy.is_filled(name, disk)
    machine = lossy.machine(name, "db")
    assert machine["spec"]["runStrategy"] == "Halted"
    reason = machine["metadata"]["annotations"][NOT_STARTED]
    assert "its disks db-data come back empty; it was to run as Always" in reason
    assert "db comes back without data and is not started: db-root (" in lossy.warnings(name)


def test_metadata_onto_claims_that_are_there_starts_and_warns_of_no_disk(lossy: Lossy) -> None:
    assert lossy.machine("lossy-whole", "db")["spec"]["runStrategy"] == "Always"
    assert lossy.is_filled("lossy-whole", "db-data")
    assert "db comes back without data" not in lossy.warnings("lossy-onto")


def test_the_backups_say_what_they_do_not_save(lossy: Lossy) -> None:
    assert "kiosk-root is left out by its label" in lossy.cluster.backup_log(SOURCE)
    log = lossy.cluster.backup_log(METADATA)
    assert "db-data is skipped by the backup's settings or policies" in log
