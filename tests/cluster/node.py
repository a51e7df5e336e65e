"""The stand-in node, and what its virt-freezer was asked for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tests.cluster.api import Api, Object
from tests.cluster.control_plane import ControlPlane
from tests.cluster.journal import read_journal
from tests.cluster.processes import Process, Processes
from tests.peers.build import binary

NAME = "node1"
SUBRESOURCES = "v1.subresources.kubevirt.io"
CONSOLE_LOG = "guest-console-log"
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
Verb = Literal["freeze", "unfreeze"]


@dataclass(frozen=True)
class Freeze:
    """One call of virt-freezer or of a subresource.

    Attributes:
        time: when a freeze was done, or when a thaw began.
        pod: in which virt-freezer ran; empty for a call of the subresource.
        has_changed: false if the guest was in the wanted state before, or the call failed.
    """

    time: datetime
    verb: Verb
    namespace: str
    name: str
    pod: str
    exit_code: int
    has_changed: bool


class Node:
    def __init__(self, processes: Processes, control_plane: ControlPlane, folder: Path) -> None:
        self.processes = processes
        self.control_plane = control_plane
        self.folder = folder

    def start(self) -> Process:
        self.orders.mkdir(parents=True)
        return self.processes.start(
            "node",
            [
                binary("node"),
                f"--kubeconfig={self.control_plane.kubeconfig('node')}",
                f"--certificates={self.control_plane.certificates}",
                f"--directory={self.folder}",
            ],
        )

    def is_ready(self, api: Api) -> bool:
        """True if pods run on it, and the API server passes on what is for its virt-api."""
        node = api.find("v1", "Node", None, NAME)
        service = api.find("apiregistration.k8s.io/v1", "APIService", None, SUBRESOURCES)
        return is_true(node, "Ready") and is_true(service, "Available")

    @property
    def orders(self) -> Path:
        return self.folder / "orders"

    def freezes(self) -> list[Freeze]:
        """Every call so far, the oldest first."""
        return [
            Freeze(
                datetime.fromisoformat(line["time"]),
                line["verb"],
                line["namespace"],
                line["name"],
                line["pod"],
                line["exitCode"],
                line["changed"],
            )
            for line in read_journal(self.folder / "freezes.jsonl")
        ]

    def disturb(
        self,
        namespace: str,
        name: str,
        verb: Verb,
        *,
        exit_code: int = 0,
        message: str = "freezing the virtual machine failed",
        delay_s: float = 0,
        late_s: float = 0,
    ) -> None:
        """Makes virt-freezer fail or take its time for one virtual machine, until `soothe`.

        Args:
            late_s: how long the instance's status stays as it was, as KubeVirt's does up to 6 s.
        """
        order = {
            "exitCode": exit_code,
            "message": message,
            "delay": f"{delay_s}s",
            "late": f"{late_s}s",
        }
        self._order(namespace, name, verb).write_text(json.dumps(order))

    @contextmanager
    def holding(self, namespace: str, name: str, verb: Verb) -> Iterator[None]:
        """No call of virt-freezer goes on for one virtual machine before the context ends."""
        order = self._order(namespace, name, verb)
        order.write_text(json.dumps({"delay": "0s", "hold": True}))
        try:
            yield
        finally:
            order.unlink()

    def _order(self, namespace: str, name: str, verb: Verb) -> Path:
        return self.orders / f"{namespace}.{name}.{verb}.json"

    def give_agent(self, namespace: str, name: str, agent: Path) -> None:
        """From now on virt-freezer freezes a real guest, by the socket of its QEMU guest agent."""
        self._link("agents", namespace, name, agent)

    def give_console(self, namespace: str, name: str, console: Path) -> None:
        """From now on a launcher pod's log has what a guest prints to that file."""
        self._link("consoles", namespace, name, console)

    def give_hook(self, namespace: str, name: str, program: Path) -> None:
        """From now on the guest's agent calls that program at each freeze and thaw."""
        self._link("hooks", namespace, name, program)

    def _link(self, what: str, namespace: str, name: str, target: Path) -> None:
        link = self.folder / what / f"{namespace}.{name}"
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def log(self, pod: Object, container: str, text: str) -> None:
        """A container prints a line now; its log is as a container runtime keeps it."""
        metadata = pod["metadata"]
        whose = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        log = self.folder / "logs" / whose / container / "0.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"{datetime.now(UTC).strftime(TIME)} stdout F {text}\n")

    def soothe(self) -> None:
        for order in self.orders.iterdir():
            order.unlink()


def is_true(found: Object | None, condition: str) -> bool:
    conditions = (found or {}).get("status", {}).get("conditions", ())
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)
