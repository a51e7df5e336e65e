"""Snapshots that the plugin takes itself, where a Backup leaves volumes to it."""

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.freezes import assert_cut_inside_one_freeze
from tests.cluster.manifests import Disk, Machine
from tests.cluster.storage import DRIVER
from tests.cluster.velero import NAMESPACE

POLICY = """
version: v1
volumePolicies:
- conditions: {csi: {driver: DRIVER}}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
"""
BY_POLICY: Object = {"resourcePolicy": {"kind": "configmap", "name": "own-snapshots"}}


@pytest.fixture(scope="module")
def policed(cluster: Cluster) -> Cluster:
    """The cluster, with a policy that leaves all of its volumes to the plugin."""
    metadata = {"name": "own-snapshots", "namespace": NAMESPACE}
    data = {"policy": POLICY.replace("DRIVER", DRIVER)}
    cluster.api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    )
    return cluster


def test_all_disks_of_a_guest_are_taken_in_one_freeze(policed: Cluster) -> None:
    disks = Disk("root"), Disk("data", "Block")
    machine = Machine("own", "db", disks, hotplugged=(Disk("extra"),))
    policed.create_namespace("own")
    policed.create_vms([machine])
    backup = policed.backup("own", {"includedNamespaces": ["own"], **BY_POLICY})
    assert backup["status"]["phase"] == "Completed", policed.backup_log("own")
    assert_cut_inside_one_freeze(policed, machine)
