"""Evidence where Velero takes group snapshots of its own, which show the uid of the Backup."""

from collections.abc import Mapping

import orjson
import pytest

from stillpoint.velero import seal_secret
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.evidence_guests import Shown, give_agent, shown
from tests.cluster.manifests import Disk, Machine
from tests.cluster.storage import CLASS, DRIVER, wait_until_bound
from tests.cluster.velero_groups import OlderController

SHOP = "velero-groups"
DB = Machine(SHOP, "db", disks=(Disk("root"), Disk("data", "Block")))
BESIDE = Machine(SHOP, "beside")
CLAIM = ("v1", "PersistentVolumeClaim")
UID = "velero.io/backup-uid"


@pytest.fixture(scope="module")
def found(cluster: Cluster) -> Shown:
    cluster.create_namespace(SHOP)
    cluster.create_vms([DB, BESIDE])
    give_agent(cluster, DB, cluster.folder / "guests" / SHOP)
    wait_until_bound(cluster.api, SHOP)
    grouped = {"metadata": {"labels": {"velero.io/volume-group": "db"}}}
    for name in ("db-root", "db-data"):
        cluster.api.patch(*CLAIM, SHOP, name, grouped)
    group_class = {f"velero.io/csi-volumegroupsnapshot-class_{DRIVER}": CLASS}
    with OlderController(cluster, SHOP):
        spec = {"includedNamespaces": [SHOP]}
        return shown(cluster.archive, cluster.backup(SHOP, spec, annotations=group_class))


def snapshots(cluster: Cluster) -> Mapping[str, Object]:
    """As they are in the archive, by their claims."""
    return {
        item["spec"]["source"]["persistentVolumeClaimName"]: item
        for path, item in cluster.backup_items(SHOP).items()
        if path.startswith("resources/volumesnapshots.") and "preferredversion" not in path
    }


def test_velero_took_a_group_and_showed_the_uid(cluster: Cluster, found: Shown) -> None:
    """Else this tests nothing."""
    assert found.backup["status"]["phase"] == "Completed", cluster.backup_log(SHOP)
    cuts = cluster.snapshots_cut()
    [root], [data] = (cuts[f"{SHOP}/{name}"] for name in ("db-root", "db-data"))
    assert root.group == data.group != ""
    taken = snapshots(cluster)
    assert taken["db-root"]["metadata"]["labels"][UID] == found.backup["metadata"]["uid"]
    assert taken["db-root"]["status"]["volumeGroupSnapshotName"]


def test_its_machines_have_their_level(found: Shown) -> None:
    assert found.levels() == {
        "db-root": "application",
        "db-data": "application",
        "beside-root": "filesystem",
    }, found.reasons()
    assert found.evidence["db-root"].machine_level == "application"


def test_the_secret_is_where_no_tenant_looks(cluster: Cluster, found: Shown) -> None:
    secret = seal_secret.of(found.backup)
    assert len(secret) == 32
    for item in cluster.backup_items(SHOP).values():
        assert secret.encode() not in orjson.dumps(item)
    assert secret not in cluster.backup_log(SHOP)
    assert secret.encode() not in orjson.dumps(cluster.archive.backup_operations(SHOP))
