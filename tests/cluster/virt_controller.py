"""A stand-in for KubeVirt's controller: starts machines that are to run, and stops halted ones."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tests.cluster.api import Api, Object
from tests.cluster.manifests import condition, owner
from tests.cluster.watcher import Watcher, lost_race

KUBEVIRT = "kubevirt.io/v1"
INSTANCE = (KUBEVIRT, "VirtualMachineInstance")


class VirtController(Watcher):
    """Looks around every half second while its context lasts.

    Args:
        takes_s: from a machine's run strategy to its running guest, or to its end.
    """

    def __init__(self, api: Api, namespaces: Sequence[str], takes_s: float) -> None:
        self._api = api
        self._namespaces = namespaces
        self._takes_s = takes_s
        self._due: dict[str, tuple[float, Object]] = {}
        self.started: list[tuple[datetime, str]] = []
        """When the guest of which machine, `shop/db`, was found to be wanted."""
        self.running: list[tuple[datetime, str]] = []
        self.stopped: list[tuple[datetime, str]] = []
        super().__init__(every_s=0.5)

    def wait_for_running(self, name: str, timeout_s: float = 120) -> bool:
        """Whether the guest of this machine has been started by then, as far as this one has."""
        deadline = time.monotonic() + timeout_s
        while name not in [each for _when, each in self.running]:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def look(self) -> None:
        due = self._due
        for machine in self._machines():
            name = "/".join(identity(machine))
            strategy = machine["spec"].get("runStrategy")
            if name not in due and (strategy == "Halted") == self._runs(machine):
                due[name] = (time.monotonic() + self._takes_s, machine)
                if strategy != "Halted":
                    self.started.append((datetime.now(UTC), name))
        for name in [name for name, (when, _) in due.items() if when <= time.monotonic()]:
            machine = due.pop(name)[1]
            with lost_race():
                is_ending = self._runs(machine)
                (self._stop if is_ending else self._run)(machine)
                (self.stopped if is_ending else self.running).append((datetime.now(UTC), name))

    def _machines(self) -> Iterator[Object]:
        for namespace in self._namespaces:
            for machine in self._api.list(KUBEVIRT, "VirtualMachine", namespace):
                if machine["spec"].get("runStrategy") in ("Always", "Halted"):
                    yield machine

    def _runs(self, machine: Object) -> bool:
        return self._api.find(*INSTANCE, *identity(machine)) is not None

    def _run(self, machine: Object) -> None:
        namespace, name = identity(machine)
        template = machine["spec"]["template"]
        metadata: Object = {**template.get("metadata", {}), "namespace": namespace, "name": name}
        created = self._api.create(
            {
                "apiVersion": KUBEVIRT,
                "kind": "VirtualMachineInstance",
                "metadata": metadata | {"ownerReferences": [owner(machine)]},
                "spec": template["spec"],
            }
        )
        conditions = [condition("Ready"), condition("AgentConnected")]
        self._api.replace_status(created, {"phase": "Running", "conditions": conditions})
        self._api.replace_status(machine, {"created": True, "printableStatus": "Running"})

    def _stop(self, machine: Object) -> None:
        """Its launcher pod goes with the instance that owns it."""
        self._api.patch(*INSTANCE, *identity(machine), {"metadata": {"finalizers": None}})
        self._api.delete(*INSTANCE, *identity(machine))
        self._api.replace_status(machine, {"created": False, "printableStatus": "Stopped"})


def identity(machine: Object) -> tuple[str, str]:
    return machine["metadata"]["namespace"], machine["metadata"]["name"]
