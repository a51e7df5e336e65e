"""A stand-in for KubeVirt's controller of pools: counts a pool's machines, makes and deletes some.

Follows pkg/virt-controller/watch/pool/pool.go of KubeVirt v1.9 in what a restore has to do with: a
machine is a pool's by the uid of its owner; names that are free are taken from 0 on; a machine
whose revision is missing or differs from the pool's template gets a specification anew.
"""

from collections.abc import Sequence

from tests.cluster.api import Api, Object
from tests.cluster.manifests import owner
from tests.cluster.watcher import Watcher, lost_race

POOL = ("pool.kubevirt.io/v1beta1", "VirtualMachinePool")
MACHINE = ("kubevirt.io/v1", "VirtualMachine")
REVISION = ("apps/v1", "ControllerRevision")
LABEL = "kubevirt.io/vm-pool-revision-name"


class PoolController(Watcher):
    """Looks around ten times a second while its context lasts, as eager as a real one."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self.made: list[str] = []
        self.deleted: list[str] = []
        self.rewritten: list[str] = []
        super().__init__()

    def look(self) -> None:
        for pool in self._api.list(*POOL, self._namespace):
            if not pool["spec"].get("paused"):
                with lost_race():
                    self._scale(pool)

    def _scale(self, pool: Object) -> None:
        machines = self._api.list(*MACHINE, self._namespace)
        own = [one for one in machines if pool["metadata"]["uid"] in owners(one)]
        names = [one["metadata"]["name"] for one in machines]
        wanted = pool["spec"]["replicas"]
        for name in free(pool["metadata"]["name"], names, wanted - len(own)):
            self._make(pool, name)
        for surplus in own[wanted:]:
            self._api.delete(*MACHINE, self._namespace, surplus["metadata"]["name"])
            self.deleted.append(surplus["metadata"]["name"])
        if len(own) == wanted:
            self.rewritten += [
                one["metadata"]["name"] for one in own if self._is_outdated(pool, one)
            ]

    def _make(self, pool: Object, name: str) -> None:
        metadata = {"name": name, "namespace": self._namespace, "ownerReferences": [owner(pool)]}
        spec = pool["spec"]["virtualMachineTemplate"]["spec"]
        api_version, kind = MACHINE
        self._api.create(
            {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
        )
        self.made.append(name)

    def _is_outdated(self, pool: Object, machine: Object) -> bool:
        name = machine["metadata"].get("labels", {}).get(LABEL, "")
        revision = name and self._api.find(*REVISION, self._namespace, name)
        if not revision:
            return True
        template: Object = pool["spec"]["virtualMachineTemplate"]
        return bool(revision["data"]["virtualMachineTemplate"] != template)


def owners(machine: Object) -> Sequence[str]:
    return [one["uid"] for one in machine["metadata"].get("ownerReferences", ())]


def free(base: str, taken: Sequence[str], count: int) -> list[str]:
    found: list[str] = []
    index = 0
    while len(found) < count:
        if f"{base}-{index}" not in taken:
            found.append(f"{base}-{index}")
        index += 1
    return found
