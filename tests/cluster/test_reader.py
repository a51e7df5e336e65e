"""The plugin's reads of a real API server, where a stand-in for one would tell little."""

from contextlib import closing

from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.resources.machines import virtual_machine_instance
from tests.cluster.cluster import Cluster
from tests.cluster.velero import PLUGIN_USER


def test_a_watch_begins_at_once_where_nobody_writes_such_objects(cluster: Cluster) -> None:
    """The API server's cache of instances has not seen what was written to other objects."""
    namespace = "reader-watch"
    cluster.create_namespace(namespace)
    metadata = {"name": "idle", "namespace": namespace, "labels": {"is": "idle"}}
    instance = {"kind": "VirtualMachineInstance", "metadata": metadata, "spec": {}}
    cluster.api.create({"apiVersion": "kubevirt.io/v1", **instance})
    cluster.create_namespace(f"{namespace}-later")
    reader = KubernetesReader.connect(file=str(cluster.control_plane.kubeconfig(PLUGIN_USER)))
    resource = virtual_machine_instance.RESOURCE
    with closing(reader.changes(resource, namespace, "is=idle", 20.0)) as changes:
        assert next(changes).item["metadata"]["name"] == "idle"
