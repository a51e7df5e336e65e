"""A stand-in for KubeVirt in scratch namespaces: guests of restored machines start there.

Follows pkg/virt-controller/watch/vm and pkg/network/vmispec of KubeVirt v1.9 in what a verification
has to do with: a machine that is new or changed is written to, with a finalizer and the generation
of its status; a run strategy that starts it makes an instance, which a quota of the API server may
refuse; a machine whose template has no interface gets one unless it says otherwise; a launcher pod
has the console of the guest; finalizers go when the guest has ended.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.cluster.api import Api, ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import condition, owner
from tests.cluster.node import CONSOLE_LOG, is_true
from tests.cluster.node import NAME as NODE
from tests.cluster.storage import AT_FIRST_USE, SELECTED_NODE
from tests.cluster.virt_controller import INSTANCE, KUBEVIRT, identity
from tests.cluster.watcher import Watcher, lost_race

SCRATCH = "stillpoint.dev/verification"
MACHINE = (KUBEVIRT, "VirtualMachine")
CLAIM = ("v1", "PersistentVolumeClaim")
STARTING = ("Always", "Once", "RerunOnFailure")
AGENT = "AgentConnected"
OF_MACHINE = "kubevirt.io/virtualMachineControllerFinalize"
OF_INSTANCE = "kubevirt.io/foregroundDeleteVirtualMachine"


class Guest(Protocol):
    """What runs in a launcher pod."""

    @property
    def console(self) -> Path: ...

    def is_running(self) -> bool: ...

    def has_agent(self) -> bool: ...

    def close(self) -> None: ...


Start = Callable[[Object, Mapping[str, Path]], Guest | None]
"""Starts the guest of an instance, which has the namespace of the machine, from its volumes by
name. None for one that never runs: its pod is not scheduled."""


@dataclass
class Told:
    """A guest that is not there: it prints what it was told to print."""

    console: Path
    is_agent_connected: bool = True
    ends: bool = False
    """Whether it ends as soon as it runs, as one without a system on its disk."""

    def is_running(self) -> bool:
        return not self.ends

    def has_agent(self) -> bool:
        return self.is_agent_connected

    def close(self) -> None:
        """There is no process."""


@dataclass
class Seen:
    """What became of one machine.

    Attributes:
        instance: as it was created.
        refused: what the API server said when it refused an instance, once its machine tells so.
    """

    instance: Object = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    guest: Guest | None = None
    has_ended: bool = False


class ScratchGuests(Watcher):
    """Looks around five times a second while its context lasts; ends all guests at its end."""

    def __init__(self, cluster: Cluster, start: Start) -> None:
        self._cluster = cluster
        self._api: Api = cluster.api
        self._start = start
        self.seen: dict[str, Seen] = {}
        """By `NAMESPACE/NAME`, also when it is gone."""
        self.lets_go = True
        """Whether machines lose their finalizers when they are deleted."""
        self.most_at_once = 0
        """Of guests that ran."""
        super().__init__(every_s=0.2)

    def of(self, namespace: str, name: str) -> Seen:
        """What became of a machine, also of one that was not found yet."""
        return self.seen.get(f"{namespace}/{name}") or Seen()

    def close(self) -> None:
        try:
            super().close()
        finally:
            for one in self.seen.values():
                end(one)

    def look(self) -> None:
        there = set()
        for machine in self._machines():
            there.add("/".join(identity(machine)))
            with lost_race():
                self._reconcile(machine)
        for name in self.seen.keys() - there:
            end(self.seen[name])
        running = [one for one in self.seen.values() if one.guest and not one.has_ended]
        self.most_at_once = max(self.most_at_once, len(running))

    def _machines(self) -> Iterator[Object]:
        for namespace in self._api.list("v1", "Namespace", labels=SCRATCH):
            yield from self._api.list(*MACHINE, namespace["metadata"]["name"])

    def _reconcile(self, machine: Object) -> None:
        name = "/".join(identity(machine))
        seen = self.seen.setdefault(name, Seen())
        if not is_going(machine):
            self._greet(machine)
        instance = self._api.find(*INSTANCE, *identity(machine))
        is_wanted = machine["spec"].get("runStrategy") in STARTING
        if is_going(machine) or is_going(instance) or not is_wanted:
            self._stop(machine, instance, seen)
        elif instance:
            self._advance(machine, instance, seen)
        elif not seen.has_ended:
            self._create(machine, seen)

    def _greet(self, machine: Object) -> None:
        """What is written to a machine that is new, or another than it was."""
        if OF_MACHINE not in machine["metadata"].get("finalizers", ()):
            self._keep(MACHINE, machine, [OF_MACHINE])
        generation = machine["metadata"]["generation"]
        status = machine.get("status", {})
        if status.get("observedGeneration") != generation:
            of_now = {"observedGeneration": generation, "desiredGeneration": generation}
            self._api.replace_status(machine, {"printableStatus": "Stopped", **status, **of_now})

    def _create(self, machine: Object, seen: Seen) -> None:
        try:
            seen.instance = self._api.create(made_instance(machine))
        except ApiError as error:
            failure = condition("Failure", reason="FailedCreate") | {"message": str(error)}
            status = {"printableStatus": "Stopped", "conditions": [failure]}
            self._api.replace_status(machine, status)
            seen.refused.append(str(error))
            return
        self._api.replace_status(seen.instance, {"phase": "Pending"})
        self._api.replace_status(machine, {"created": True, "printableStatus": "Starting"})

    def _advance(self, machine: Object, instance: Object, seen: Seen) -> None:
        """One step from what the instance is to what it is next."""
        phase = instance.get("status", {}).get("phase", "Pending")
        if phase == "Pending" and self._volumes(instance) is not None:
            pod = self._api.create(launcher_pod(instance))
            status = {"phase": "Scheduling", "activePods": {pod["metadata"]["uid"]: NODE}}
            self._api.replace_status(instance, status)
        elif phase == "Scheduling":
            seen.guest = seen.guest or self._started(instance)
            if seen.guest:
                namespace, name = identity(instance)
                self._cluster.node.give_console(namespace, name, seen.guest.console)
                self._report(machine, instance, "Running")
        elif phase == "Running" and seen.guest:
            if not seen.guest.is_running():
                end(seen)
                self._report(machine, instance, "Failed")
            elif not is_true(instance, AGENT) and seen.guest.has_agent():
                self._report(machine, instance, "Running", AGENT)

    def _started(self, instance: Object) -> Guest | None:
        """None as long as it never runs, or its disks are not there, or go while it starts."""
        volumes = self._volumes(instance)
        try:
            return None if volumes is None else self._start(instance, volumes)
        except FileNotFoundError as error:
            if volumes and error.filename in map(str, volumes.values()):
                return None
            raise

    def _report(self, machine: Object, instance: Object, phase: str, *conditions: str) -> None:
        is_running = phase == "Running"
        told = [condition("Ready", str(is_running)), *map(condition, conditions)]
        status = {**instance["status"], "phase": phase, "nodeName": NODE, "conditions": told}
        self._api.replace_status(instance, status)
        printable = "Running" if is_running else "Stopped"
        status = {"created": True, "ready": is_running, "printableStatus": printable}
        self._api.replace_status(machine, status | {"conditions": told})

    def _volumes(self, instance: Object) -> dict[str, Path] | None:
        """The bytes of the disks that have a claim, by name.

        None as long as a claim is unbound, and when one is deleted while it is looked at.
        """
        namespace = instance["metadata"]["namespace"]
        claims = {
            volume["name"]: (volume.get("persistentVolumeClaim") or {}).get("claimName")
            or volume["dataVolume"]["name"]
            for volume in instance["spec"].get("volumes", ())
            if "persistentVolumeClaim" in volume or "dataVolume" in volume
        }
        found = {one: self._api.find(*CLAIM, namespace, one) or {} for one in claims.values()}
        unbound = [one for one in found.values() if one.get("status", {}).get("phase") != "Bound"]
        if unbound:
            self._choose_node(unbound)
            return None
        try:
            return {one: self._cluster.disk_image(namespace, of) for one, of in claims.items()}
        except FileNotFoundError:
            return None

    def _choose_node(self, claims: list[Object]) -> None:
        """As a scheduler for the launcher pod, where a class waits for that."""
        for one in claims:
            is_late = one.get("spec", {}).get("storageClassName") == AT_FIRST_USE
            if is_late and SELECTED_NODE not in one["metadata"].get("annotations", {}):
                change = {"metadata": {"annotations": {SELECTED_NODE: NODE}}}
                self._api.patch(*CLAIM, *identity(one), change)

    def _stop(self, machine: Object, instance: Object | None, seen: Seen) -> None:
        end(seen)
        if instance:
            self._keep(INSTANCE, instance, None)
            if not is_going(instance):
                self._api.delete(*INSTANCE, *identity(instance))
        elif machine.get("status", {}).get("created") and not is_going(machine):
            self._api.replace_status(machine, {"created": False, "printableStatus": "Stopped"})
        if is_going(machine) and self.lets_go:
            self._keep(MACHINE, machine, None)

    def _keep(self, kind: tuple[str, str], one: Object, finalizers: list[str] | None) -> None:
        self._api.patch(*kind, *identity(one), {"metadata": {"finalizers": finalizers}})


def is_going(one: Object | None) -> bool:
    return one is not None and "deletionTimestamp" in one["metadata"]


def end(seen: Seen) -> None:
    if seen.guest and not seen.has_ended:
        seen.guest.close()
        seen.has_ended = True


def made_instance(machine: Object) -> Object:
    namespace, name = identity(machine)
    template = machine["spec"]["template"]
    metadata: Object = {**template.get("metadata", {}), "namespace": namespace, "name": name}
    metadata |= {"finalizers": [OF_INSTANCE], "ownerReferences": [owner(machine)]}
    return {
        "apiVersion": KUBEVIRT,
        "kind": "VirtualMachineInstance",
        "metadata": metadata,
        "spec": with_default_interface(template["spec"]),
    }


def with_default_interface(spec: Object) -> Object:
    """SetDefaultNetworkInterface of pkg/network/vmispec: a guest has one unless told otherwise."""
    devices = spec["domain"].get("devices", {})
    if spec.get("networks") or devices.get("autoattachPodInterface") is False:
        return spec
    devices = {**devices, "interfaces": [{"name": "default", "masquerade": {}}]}
    domain = {**spec["domain"], "devices": devices}
    return {**spec, "domain": domain, "networks": [{"name": "default", "pod": {}}]}


def launcher_pod(instance: Object) -> Object:
    """With what a pod may have at the strictest level of a namespace."""
    namespace, name = identity(instance)
    uid = instance["metadata"]["uid"]
    container = {
        "image": "quay.io/kubevirt/virt-launcher:v1.9.0",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 107,
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": namespace,
            "name": f"virt-launcher-{name}-{uid[:5]}",
            "labels": {
                **instance["metadata"].get("labels", {}),
                "kubevirt.io": "virt-launcher",
                "kubevirt.io/created-by": uid,
                "vm.kubevirt.io/name": name,
                "vmi.kubevirt.io/id": name,
            },
            "annotations": {"kubevirt.io/domain": name},
            "ownerReferences": [owner(instance)],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [{"name": CONSOLE_LOG, "restartPolicy": "Always", **container}],
            "containers": [{"name": "compute", **container}],
        },
    }
