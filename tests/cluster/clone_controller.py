"""A stand-in for KubeVirt's controller of clones: a snapshot, a restore, and their removal.

Follows pkg/virt-controller/watch/clone of KubeVirt v1.9 in phases, conditions, the names and owners
of what it makes for itself, the patches of the new machine, and what it waits for. Not followed:
events, filters of annotations, a source that appears later.
"""

import json

from tests.cluster.api import Object
from tests.cluster.restore_controller import RESTORE, RestoreController
from tests.cluster.snapshot_controller import (
    CLAIM,
    CONTENT,
    MACHINE,
    SNAPSHOT,
    identity,
    needs_state,
    set_condition,
)
from tests.cluster.watcher import lost_race

CLONE = ("clone.kubevirt.io/v1beta1", "VirtualMachineClone")
GUEST = "/spec/template/spec/domain"


class CloneController(RestoreController):
    """Carries out clones, too."""

    def look_into(self, namespace: str) -> None:
        super().look_into(namespace)
        for clone in self.api.list(*CLONE, namespace):
            with lost_race():
                status = self._clone(clone)
                if status != clone.get("status", {}):
                    self._replace_status(clone, status)

    def _clone(self, clone: Object) -> Object:
        status: Object = dict(clone.get("status", {}))
        phase = status.get("phase", "SnapshotInProgress")
        if phase == "Failed" or (phase == "Succeeded" and not status.get("restoreName")):
            return status
        wait(status, "True", "Still processing")
        step = {
            "SnapshotInProgress": self._take,
            "RestoreInProgress": self._bring_back,
            "CreatingTargetVM": self._note_target,
            "Succeeded": self._clean_up,
        }[phase]
        status["phase"] = phase
        step(clone, status)
        return status

    def _take(self, clone: Object, status: Object) -> None:
        namespace, _ = identity(clone)
        source = clone["spec"]["source"]
        name = status.get("snapshotName")
        if source["kind"] == "VirtualMachineSnapshot":
            name = source["name"]
        elif not name:
            self._take_own(clone, status)
            return
        snapshot = self.api.find(*SNAPSHOT, namespace, name)
        if snapshot and snapshot.get("status", {}).get("readyToUse"):
            status |= {"phase": "RestoreInProgress", "snapshotName": name}

    def _take_own(self, clone: Object, status: Object) -> None:
        namespace, _ = identity(clone)
        machine = self.api.find(*MACHINE, namespace, clone["spec"]["source"]["name"])
        if machine is None:
            wait(status, "False", "Source doesnt exist")
        elif needs_state(machine):
            status["phase"] = "Failed"
            wait(status, "False", "Source with backend storage")
        elif volumes := unsupported(machine):
            wait(status, "False", f"Volumes not snapshotable: {', '.join(volumes)}")
        else:
            name = f"tmp-snapshot-{clone['metadata']['uid']}"
            source = {"apiGroup": "kubevirt.io", "kind": MACHINE[1]}
            source["name"] = machine["metadata"]["name"]
            self.api.create(owned(clone, SNAPSHOT, name, {"source": source}))
            status["snapshotName"] = name

    def _bring_back(self, clone: Object, status: Object) -> None:
        namespace, _ = identity(clone)
        if not status.get("restoreName"):
            snapshot = self.api.get(*SNAPSHOT, namespace, status["snapshotName"])
            content = snapshot["status"]["virtualMachineSnapshotContentName"]
            found = self.api.get(*CONTENT, namespace, content)
            guest = found["spec"]["source"]["virtualMachine"]["spec"]["template"]["spec"]
            specification = {
                "target": clone["spec"]["target"],
                "virtualMachineSnapshotName": status["snapshotName"],
                "patches": [json.dumps(one) for one in patches(guest, clone["spec"])],
            }
            if policy := clone["spec"].get("volumeNamePolicy"):
                specification["volumeRestorePolicy"] = policy
            name = f"tmp-restore-{clone['metadata']['uid']}"
            self.api.create(owned(clone, RESTORE, name, specification))
            status["restoreName"] = name
            return
        restore = self.api.find(*RESTORE, namespace, status["restoreName"])
        if restore and restore.get("status", {}).get("complete"):
            status["phase"] = "CreatingTargetVM"

    def _note_target(self, clone: Object, status: Object) -> None:
        target = clone["spec"]["target"]["name"]
        if self.api.find(*MACHINE, identity(clone)[0], target):
            status |= {"phase": "Succeeded", "targetName": target}
            set_condition(status, "Progressing", "False", "Ready")
            set_condition(status, "Ready", "True", "Ready")

    def _clean_up(self, clone: Object, status: Object) -> None:
        namespace, _ = identity(clone)
        set_condition(status, "Progressing", "False", "Ready")
        set_condition(status, "Ready", "True", "Ready")
        restore = self.api.find(*RESTORE, namespace, status["restoreName"])
        for one in (restore or {}).get("status", {}).get("restores", ()):
            claim = self.api.get(*CLAIM, namespace, one["persistentVolumeClaim"])
            if claim["status"].get("phase") != "Bound":
                return
        if restore:
            self.api.delete(*RESTORE, namespace, status["restoreName"])
        if clone["spec"]["source"]["kind"] == MACHINE[1]:
            self.api.delete(*SNAPSHOT, namespace, status["snapshotName"])
        status |= {"snapshotName": None, "restoreName": None}


def wait(status: Object, value: str, reason: str) -> None:
    set_condition(status, "Progressing", value, reason)
    set_condition(status, "Ready", "False", reason)


def unsupported(machine: Object) -> list[str]:
    """Volumes of which the status does not say that they can be in a snapshot."""
    said = {
        one["name"]: one.get("enabled")
        for one in machine.get("status", {}).get("volumeSnapshotStatuses", ())
    }
    volumes = machine["spec"]["template"]["spec"]["volumes"]
    kinds = {"persistentVolumeClaim", "dataVolume"}
    return [one["name"] for one in volumes if kinds & set(one) and not said.get(one["name"])]


def patches(guest: Object, specification: Object) -> list[Object]:
    addresses = specification.get("newMacAddresses", {})
    found = [
        replacement(f"devices/interfaces/{number}/macAddress", addresses.get(one["name"], ""))
        for number, one in enumerate(guest["domain"]["devices"].get("interfaces", ()))
    ]
    if "firmware" in guest["domain"]:
        found.append(replacement("firmware/serial", specification.get("newSMBiosSerial", "")))
        found.append(replacement("firmware/uuid", ""))
    return found


def replacement(path: str, value: str) -> Object:
    return {"op": "replace", "path": f"{GUEST}/{path}", "value": value}


def owned(clone: Object, kind: tuple[str, str], name: str, specification: Object) -> Object:
    owner = {
        "apiVersion": CLONE[0],
        "kind": CLONE[1],
        "name": clone["metadata"]["name"],
        "uid": clone["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    namespace, _ = identity(clone)
    metadata = {"name": name, "namespace": namespace, "ownerReferences": [owner]}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": specification}
