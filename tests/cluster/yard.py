"""One namespace of machines, its backup, and restores of it that run at the same time."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import yaml

from tests.cluster.api import Api, ApiError, Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import (
    VIRTUAL_MACHINES,
    drop_finalizers,
    machines_and_claims,
    wait_until,
)
from tests.cluster.storage import wait_until_bound
from tests.cluster.velero import API_VERSION, NAMESPACE

KUBEVIRT = "kubevirt.io/v1"
OF_PLUGIN = {"snapshots": "of-stillpoint"}
"""Label of the claims whose snapshots the plugin takes."""


@dataclass
class Yard:
    """One namespace, its backup, and its restores by name, which run at the same time."""

    cluster: Cluster
    fresh: Cluster
    method: str
    workers: ThreadPoolExecutor
    restores: dict[str, "Future[Object]"] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return f"yard-{self.method}"

    @property
    def machines(self) -> tuple[Machine, ...]:
        db = Machine(self.namespace, "db", disks=(Disk("root"), Disk("data", "Block")))
        web = Machine(self.namespace, "web", disks=(Disk("root", "Block"),))
        return db, web, Machine(self.namespace, "archive", is_running=False)

    @property
    def claims(self) -> list[str]:
        return [machine.claim(disk) for machine in self.machines for disk in machine.disks]

    def content(self, claim: str) -> bytes:
        return f"{claim} of {self.namespace} ".encode() * 1000

    def write(self, content: Callable[[str], bytes]) -> None:
        for claim in self.claims:
            self.cluster.disk_image(self.namespace, claim).write_bytes(content(claim))

    def back_up(self) -> None:
        """The plugin takes the disks of db itself, Velero the others.

        All change after it, so that what comes back is of the backup.
        """
        self.write(self.content)
        self.leave_to_plugin("db-root", "db-data")
        spec = {
            "includedNamespaces": [self.namespace],
            "snapshotMoveData": self.method == "mover",
            "resourcePolicy": {"kind": "ConfigMap", "name": self.namespace},
        }
        backup = self.cluster.backup(self.namespace, spec)
        log = self.cluster.backup_log(self.namespace)
        assert backup["status"]["phase"] == "Completed", log
        self.write(lambda claim: b"later than the backup of " + claim.encode())

    def leave_to_plugin(self, *claims: str) -> None:
        """By a volume policy, and a label of the claims."""
        for claim in claims:
            where = ("v1", "PersistentVolumeClaim", self.namespace, claim)
            self.cluster.api.patch(*where, {"metadata": {"labels": OF_PLUGIN}})
        action = {"type": "custom", "parameters": {"snapshotter": "stillpoint"}}
        policy = {"conditions": {"pvcLabels": OF_PLUGIN}, "action": action}
        document = yaml.safe_dump({"version": "v1", "volumePolicies": [policy]})
        self.cluster.api.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": self.namespace, "namespace": NAMESPACE},
                "data": {"policy": document},
            }
        )

    def target(self, name: str) -> str:
        return f"{self.namespace}-{name}"

    def where(self, name: str) -> Cluster:
        """The cluster of a restore."""
        return self.fresh if name in ("fresh", "alone") else self.cluster

    def begin(
        self, name: str, spec: Object | None = None, *, to_other: bool = True, **conditions: str
    ) -> None:
        """A restore into a namespace of its own name, unless it is to go where it came from."""
        where = {"namespaceMapping": {self.namespace: self.target(name)}} if to_other else {}
        self.restores[name] = self.workers.submit(
            self.where(name).restore,
            self.target(name),
            {"backupName": self.namespace, **where, **(spec or {})},
            annotations={
                f"stillpoint.dev/{key.replace('_', '-')}": value
                for key, value in conditions.items()
            },
        )

    def assert_completed(self, name: str) -> None:
        """That the restore has, and that the claims it made are bound."""
        restore = self.restores[name].result()
        cluster = self.where(name)
        log = cluster.restore_log(self.target(name))
        results = cluster.restore_results(self.target(name))
        assert restore["status"]["phase"] == "Completed", f"{results}\n{log}"
        is_at_home = name in ("again", "beside")
        wait_until_bound(cluster.api, self.namespace if is_at_home else self.target(name))

    def until_phase(self, name: str, part: str) -> None:
        target = self.target(name)
        wait_until(lambda: part in self.cluster.restore_phase(target), f"{name} is {part}", 120)

    def machine(self, namespace: str, name: str) -> Object:
        return self.cluster.api.get(KUBEVIRT, "VirtualMachine", namespace, name)

    def assert_bytes(self, namespace: str, claims: dict[str, str]) -> None:
        """That claims, new name to old, hold what the old ones held at the backup."""
        for new, old in claims.items():
            held = self.cluster.disk_image(namespace, new).read_bytes().rstrip(b"\0")
            assert held == self.content(old), f"{namespace}/{new}"

    def assert_same_bytes(self, namespace: str, *claims: str) -> None:
        self.assert_bytes(namespace, {claim: claim for claim in claims})

    def names(self, namespace: str, cluster: Cluster | None = None) -> dict[str, list[str]]:
        """Machines and claims of a namespace."""
        return machines_and_claims((cluster or self.cluster).api, namespace)

    def progress(self, name: str) -> dict[str, str]:
        """What Velero would tell a person of each item operation of ours, as of now."""
        target = {"kind": "RestoreItemOperations", "name": self.target(name)}
        request = velero_object("DownloadRequest", f"{time.monotonic_ns()}", {"target": target})
        self.cluster.api.create(request)
        where = (API_VERSION, "DownloadRequest", NAMESPACE, request["metadata"]["name"])
        wait_until(lambda: bool(self.cluster.api.get(*where).get("status")), "an answer")
        self.cluster.api.delete(*where)  # others count what is left of them
        operations = self.cluster.archive.restore_operations(self.target(name))
        return {
            each["spec"]["resourceIdentifier"]["Name"]: each["status"].get("description", "")
            for each in operations
            if each["spec"]["restoreItemAction"].startswith("stillpoint.dev/")
        }


def delete_machines(yard: Yard, is_meant: Callable[[str], bool]) -> None:
    """By their names, and all that is theirs; some of it is still being deleted afterwards."""
    api = yard.cluster.api
    for kind in VIRTUAL_MACHINES:
        drop_finalizers(api, kind, yard.namespace)
    data_volumes, claims = (
        ("cdi.kubevirt.io/v1beta1", "DataVolume"),
        ("v1", "PersistentVolumeClaim"),
    )
    for kind in (*VIRTUAL_MACHINES, data_volumes, claims, ("v1", "Pod")):
        for each in api.list(*kind, yard.namespace):
            if is_meant(each["metadata"]["name"]):
                delete(api, *kind, yard.namespace, each["metadata"]["name"])


def delete(api: Api, *where: str) -> None:
    try:
        api.request("DELETE", api.path(*where))
    except ApiError as error:  # its owner went first, and took it along
        if error.status != 404:
            raise
