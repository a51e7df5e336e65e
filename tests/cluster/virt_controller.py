"""A stand-in for KubeVirt's controller: starts the machines of its namespaces that are to run."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

from tests.cluster.api import Api, Object
from tests.cluster.manifests import condition, owner

KUBEVIRT = "kubevirt.io/v1"


class VirtController:
    """Looks around every half second while its context lasts.

    Args:
        takes_s: from a machine's run strategy to its running guest.
    """

    def __init__(self, api: Api, namespaces: Sequence[str], takes_s: float) -> None:
        self._api = api
        self._namespaces = namespaces
        self._takes_s = takes_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.started: list[tuple[datetime, str]] = []
        """When the guest of which machine, `shop/db`, was found to be wanted."""
        self.running: list[tuple[datetime, str]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        due: dict[str, tuple[float, Object]] = {}
        known: set[str] = set()
        while not self._ended.wait(0.5):
            for namespace in self._namespaces:
                for machine in self._api.list(KUBEVIRT, "VirtualMachine", namespace):
                    name = f"{namespace}/{machine['metadata']['name']}"
                    if machine["spec"].get("runStrategy") == "Always" and name not in known:
                        known.add(name)
                        due[name] = (time.monotonic() + self._takes_s, machine)
                        self.started.append((datetime.now(UTC), name))
            for name in [name for name, (when, _) in due.items() if when <= time.monotonic()]:
                self._run(due.pop(name)[1])
                self.running.append((datetime.now(UTC), name))

    def _run(self, machine: Object) -> None:
        metadata = {key: machine["metadata"][key] for key in ("name", "namespace")}
        created = self._api.create(
            {
                "apiVersion": KUBEVIRT,
                "kind": "VirtualMachineInstance",
                "metadata": metadata | {"ownerReferences": [owner(machine)]},
                "spec": machine["spec"]["template"]["spec"],
            }
        )
        conditions = [condition("Ready"), condition("AgentConnected")]
        self._api.replace_status(created, {"phase": "Running", "conditions": conditions})
        self._api.replace_status(machine, {"created": True, "printableStatus": "Running"})
