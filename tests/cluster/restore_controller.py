"""A stand-in for KubeVirt's controller of restores, on real claims of the tests' storage.

Follows pkg/storage/snapshot/restore.go of KubeVirt v1.9: what is done with a target that runs,
names and owners of the new claims, their DataVolumes, the machine's new specification, patches, the
state of a vTPM or EFI, the old DataVolumes that go, and the claims that InPlace deletes to make
them again. Part of it stands for CDI (a DataVolume that is prepopulated) and for virt-api (a stop).
A DataSource is never there. Not followed: webhooks, copies of revisions.
"""

import json
from datetime import datetime
from typing import Any

from tests.cluster.api import Object, Objects
from tests.cluster.snapshot_controller import (
    CLAIM,
    CONTENT,
    DATA_VOLUME,
    INSTANCE,
    MACHINE,
    SNAPSHOT,
    STATE,
    VOLUME_SNAPSHOT,
    SnapshotController,
    identity,
    is_deleted,
    needs_state,
    now,
    set_condition,
)
from tests.cluster.watcher import lost_race

RESTORE = (SNAPSHOT[0], "VirtualMachineRestore")
PROTECTION = "snapshot.kubevirt.io/vmrestore-protection"
LAST = "restore.kubevirt.io/lastRestoreUID"
OF_OTHERS = ("pv.kubernetes.io", "volume.", "cdi.kubevirt.io", "k8s.io/Clone")
NOT_READY = "Restore target VMI must be powered off before restore operation"
TOO_LATE = "Restore target failed to be ready within 5m0s"
DIFFERENT = "restore source and restore target are different but restore target already exists"


class RestoreError(Exception):
    """KubeVirt notes it, and tries again."""


class RestoreController(SnapshotController):
    """Carries out restores, too."""

    def look_into(self, namespace: str) -> None:
        super().look_into(namespace)
        for restore in self.api.list(*RESTORE, namespace):
            with lost_race():
                self._restore(restore)

    def _restore(self, restore: Object) -> None:
        namespace, name = identity(restore)
        status: Object = dict(restore.get("status") or {})
        target = self.api.find(*MACHINE, namespace, restore["spec"]["target"]["name"])
        if is_deleted(restore):
            if target and target.get("status", {}).get("restoreInProgress") == name:
                self._patch_status(MACHINE, target, {"restoreInProgress": None})
            self._release(RESTORE, restore, PROTECTION)
            return
        if status.get("complete") or has_failed(status):
            return
        if not status:
            status = {"complete": False}
            progress(status, "True", "Initializing VirtualMachineRestore")
        elif PROTECTION not in restore["metadata"].get("finalizers", ()):
            self._patch(RESTORE, restore, {"metadata": {"finalizers": [PROTECTION]}})
        elif target and self.api.find(*INSTANCE, *identity(target)):
            self._handle_running(restore, target, status)
        else:
            try:
                self._step(restore, target, status)
            except RestoreError as error:
                progress(status, "False", str(error))
        if status != restore.get("status"):
            self._replace_status(restore, status)

    def _handle_running(self, restore: Object, target: Object, status: Object) -> None:
        policy = restore["spec"]["targetReadinessPolicy"]
        if policy == "FailImmediate":
            fail(status, NOT_READY)
        elif policy == "WaitGracePeriod" and self._is_over(restore):
            fail(status, TOO_LATE)
        elif policy == "StopTarget":
            progress(status, "False", "Automatically stopping restore target")
            self._stop(target)
        else:
            progress(status, "False", "Waiting for target VM to be powered off")

    def _is_over(self, restore: Object) -> bool:
        created = datetime.fromisoformat(restore["metadata"]["creationTimestamp"])
        return (self.time() - created).total_seconds() > 300

    def _stop(self, target: Object) -> None:
        """As virt-api and virt-controller do: the instance takes its launcher pod along."""
        self._patch(MACHINE, target, {"spec": {"runStrategy": "Halted", "running": None}})
        for pod in self.api.list("v1", "Pod", identity(target)[0]):
            if pod["metadata"]["name"].startswith(f"virt-launcher-{identity(target)[1]}-"):
                self.api.delete("v1", "Pod", *identity(pod))
        self.api.patch(*INSTANCE, *identity(target), {"metadata": {"finalizers": None}})
        self.api.delete(*INSTANCE, *identity(target))
        self._patch_status(MACHINE, target, {"created": False, "printableStatus": "Stopped"})

    def _step(self, restore: Object, target: Object | None, status: Object) -> None:
        namespace, name = identity(restore)
        snapshot, content = self._source(restore)
        is_done = target and target["metadata"].get("annotations", {}).get(LAST) == mark(restore)
        if target and not is_done and target["metadata"]["uid"] != snapshot["status"]["sourceUID"]:
            raise RestoreError(DIFFERENT)
        if target and not is_done and not target.get("status", {}).get("restoreInProgress"):
            self._patch_status(MACHINE, target, {"restoreInProgress": name})
        if "restores" not in status:
            status["restores"] = list(volume_restores(restore, content))
            progress(status, "True", "Creating new PVCs")
            return
        if not self._are_claims_there(restore, content, target, status["restores"]):
            return
        machine = restored_machine(restore, content, target, status["restores"])
        if not is_done:
            self._replace_data_volumes(restore, machine, target, status)
            self._move_state(restore, content, status["restores"])
            self._write(restore, machine, target)
            progress(status, "True", "Updating target spec")
            return
        for data_volume in status.get("deletedDataVolumes", ()):
            if self.api.find(*DATA_VOLUME, namespace, data_volume):
                self.api.delete(*DATA_VOLUME, namespace, data_volume)
        found = self.api.get(*MACHINE, namespace, restore["spec"]["target"]["name"])
        self._patch_status(MACHINE, found, {"restoreInProgress": None})
        status |= {"complete": True, "restoreTime": now()}
        progress(status, "False", "Operation complete")
        set_condition(status, "Ready", "True", "Operation complete")

    def _source(self, restore: Object) -> tuple[Object, Object]:
        namespace, _ = identity(restore)
        name = restore["spec"]["virtualMachineSnapshotName"]
        snapshot = self.api.find(*SNAPSHOT, namespace, name)
        if snapshot is None:
            raise RestoreError(f"VMSnapshot {namespace}/{name} does not exist")
        if not snapshot.get("status", {}).get("readyToUse"):
            raise RestoreError(f"VMSnapshot {namespace}/{name} not ready")
        of_content = snapshot["status"]["virtualMachineSnapshotContentName"]
        content = self.api.find(*CONTENT, namespace, of_content)
        if content is None:
            raise RestoreError(f"VMSnapshotContent {namespace}/{of_content} does not exist")
        return snapshot, content

    def _are_claims_there(
        self, restore: Object, content: Object, target: Object | None, restores: Objects
    ) -> bool:
        namespace, _ = identity(restore)
        are_bound = True
        for one in restores:
            claim = self.api.find(*CLAIM, namespace, one["persistentVolumeClaim"])
            is_new = claim and claim["metadata"].get("annotations", {}).get(LAST) == mark(restore)
            is_in_place = restore["spec"].get("volumeRestorePolicy") == "InPlace"
            if claim is None:
                self._create_claim(restore, content, target, one)
            elif is_in_place and not is_new:
                self._delete_claim(restore, claim, one)
                are_bound = False
            are_bound = are_bound and bool(claim and claim["status"].get("phase") == "Bound")
        return are_bound

    def _delete_claim(self, restore: Object, claim: Object, one: Object) -> None:
        """Its DataVolume, which stays, must not populate another one."""
        owners = claim["metadata"].get("ownerReferences", ())
        owner = next((each["name"] for each in owners if each["kind"] == DATA_VOLUME[1]), "")
        if owner and "dataVolumeName" not in one:
            one["dataVolumeName"] = owner  # at the next look the claim goes
            return
        if owner:
            annotations = {
                "restore.kubevirt.io/name": restore["metadata"]["name"],
                "cdi.kubevirt.io/storage.prePopulated": owner,
            }
            where = (*DATA_VOLUME, identity(claim)[0], owner)
            self.api.patch(*where, {"metadata": {"annotations": annotations}})
        if not is_deleted(claim):
            self.api.delete(*CLAIM, *identity(claim))

    def _create_claim(
        self, restore: Object, content: Object, target: Object | None, one: Object
    ) -> None:
        namespace, _ = identity(restore)
        [backup] = [
            each
            for each in content["spec"]["volumeBackups"]
            if each["volumeName"] == one["volumeName"]
        ]
        if self.api.find(*VOLUME_SNAPSHOT, namespace, backup["volumeSnapshotName"]) is None:
            raise RestoreError(f"missing volumeSnapshot {backup['volumeSnapshotName']}")
        self.api.create(claim(restore, content, backup, one, target))

    def _replace_data_volumes(
        self, restore: Object, machine: Object, target: Object | None, status: Object
    ) -> None:
        """CDI takes the claims as they are, and says so at once."""
        namespace, _ = identity(restore)
        templates = machine["spec"].get("dataVolumeTemplates", ())
        for template in templates:
            name = template["metadata"]["name"]
            if self.api.find(*DATA_VOLUME, namespace, name) is None:
                if "sourceRef" in template["spec"]:  # this cluster has no DataSources
                    raise RestoreError("Unable to create restore DataVolume manifest")
                annotations = {
                    "restore.kubevirt.io/name": restore["metadata"]["name"],
                    "cdi.kubevirt.io/storage.prePopulated": "true",
                }
                made = self.api.create(
                    {
                        "apiVersion": DATA_VOLUME[0],
                        "kind": DATA_VOLUME[1],
                        "metadata": {
                            "name": name, "namespace": namespace, "annotations": annotations,
                        },
                        "spec": template["spec"],
                    }
                )  # fmt: skip
                self.api.replace_status(made, {"phase": "Succeeded", "progress": "N/A"})
        kept = {one["metadata"]["name"] for one in templates}
        before = target["spec"].get("dataVolumeTemplates", ()) if target else ()
        names = [one["metadata"]["name"] for one in before]
        if gone := [name for name in names if name not in kept]:
            status["deletedDataVolumes"] = gone

    def _move_state(self, restore: Object, content: Object, restores: Objects) -> None:
        """The label by which KubeVirt finds the state goes to the restored claim."""
        namespace, _ = identity(restore)
        machine = content["spec"]["source"]["virtualMachine"]
        name = restore["spec"]["target"]["name"]
        new = [one for one in restores if one["volumeName"] == f"{STATE}-{name}"]
        if not needs_state(machine) or not new:
            return
        for old in self.api.list(*CLAIM, namespace, labels=f"{STATE}={name}"):
            self._patch(CLAIM, old, {"metadata": {"labels": {STATE: None}}})
        where = (*CLAIM, namespace, new[0]["persistentVolumeClaim"])
        self.api.patch(*where, {"metadata": {"labels": {STATE: name}}})

    def _write(self, restore: Object, machine: Object, target: Object | None) -> None:
        if target is None:
            for patch in restore["spec"].get("patches", ()):
                machine = patched(machine, json.loads(patch))
            made = self.api.create(machine)
            self._patch_status(MACHINE, made, {"created": False, "printableStatus": "Stopped"})
        else:
            path = self.api.path(*MACHINE, *identity(target))
            self.api.request("PUT", path, machine)


def mark(restore: Object) -> str:
    return f"{restore['metadata']['name']}-{restore['metadata']['uid']}"


def has_failed(status: Object) -> bool:
    return any(one["type"] == "Failure" for one in status.get("conditions", ()))


def progress(status: Object, value: str, reason: str) -> None:
    set_condition(status, "Progressing", value, reason)
    set_condition(status, "Ready", "False", reason)


def fail(status: Object, reason: str) -> None:
    progress(status, "False", reason)
    set_condition(status, "Failure", "True", reason)


def volume_restores(restore: Object, content: Object) -> Objects:
    machine = content["spec"]["source"]["virtualMachine"]
    dumps = {
        one["name"] for one in machine["spec"]["template"]["spec"]["volumes"] if "memoryDump" in one
    }
    found = []
    for backup in content["spec"].get("volumeBackups", ()):
        if backup["volumeName"] not in dumps:
            one = {
                "volumeName": backup["volumeName"],
                "persistentVolumeClaim": claim_name(restore, backup),
                "volumeSnapshotName": backup["volumeSnapshotName"],
            }
            if has_template(machine, backup["volumeName"]):
                one["dataVolumeName"] = one["persistentVolumeClaim"]
            found.append(one)
    return found


def claim_name(restore: Object, backup: Object) -> str:
    volume = backup["volumeName"]
    for override in restore["spec"].get("volumeRestoreOverrides", ()):
        if override["volumeName"] == volume and override.get("restoreName"):
            return str(override["restoreName"])
    if restore["spec"].get("volumeRestorePolicy") == "InPlace":
        return str(backup["persistentVolumeClaim"]["metadata"]["name"])
    if restore["spec"].get("volumeRestorePolicy") == "PrefixTargetName":
        return f"{restore['spec']['target']['name']}-{volume}"
    return f"restore-{restore['metadata']['uid']}-{volume}"


def template_of(machine: Object, volume: str) -> str:
    """Name of the DataVolume of a volume that has a template; else empty."""
    names = [one["metadata"]["name"] for one in machine["spec"].get("dataVolumeTemplates", ())]
    for one in machine["spec"]["template"]["spec"]["volumes"]:
        name = one.get("dataVolume", {}).get("name", "")
        if one["name"] == volume and name in names:
            return str(name)
    return ""


def has_template(machine: Object, volume: str) -> bool:
    return bool(template_of(machine, volume))


def claim(
    restore: Object, content: Object, backup: Object, one: Object, target: Object | None
) -> Object:
    machine = content["spec"]["source"]["virtualMachine"]["metadata"]
    before = backup["persistentVolumeClaim"]
    source = {
        "apiGroup": "snapshot.storage.k8s.io",
        "kind": "VolumeSnapshot",
        "name": backup["volumeSnapshotName"],
    }
    metadata: Object = {
        "name": one["persistentVolumeClaim"],
        "namespace": restore["metadata"]["namespace"],
        "labels": {
            **{k: v for k, v in before["metadata"].get("labels", {}).items() if k != STATE},
            "restore.kubevirt.io/source-vm-name": machine["name"],
            "restore.kubevirt.io/source-vm-namespace": machine["namespace"],
        },
        "annotations": {
            **{
                key: value
                for key, value in before["metadata"].get("annotations", {}).items()
                if not key.startswith(OF_OTHERS)
            },
            "restore.kubevirt.io/name": restore["metadata"]["name"],
            LAST: mark(restore),
        },
    }
    for override in restore["spec"].get("volumeRestoreOverrides", ()):
        if override["volumeName"] == one["volumeName"]:
            metadata["labels"] |= override.get("labels", {})
    if "dataVolumeName" in one:
        metadata["annotations"]["cdi.kubevirt.io/storage.populatedFor"] = one["dataVolumeName"]
    elif target and restore["spec"].get("volumeOwnershipPolicy") != "None":
        owner = {"apiVersion": MACHINE[0], "kind": MACHINE[1], "controller": True}
        of = {key: target["metadata"][key] for key in ("name", "uid")}
        metadata["ownerReferences"] = [{**owner, **of}]
    kept = ("accessModes", "resources", "storageClassName", "volumeMode")
    specification = {key: before["spec"][key] for key in kept if key in before["spec"]}
    return {
        "apiVersion": "v1",
        "kind": CLAIM[1],
        "metadata": metadata,
        "spec": {**specification, "dataSource": source},
    }


def restored_machine(
    restore: Object, content: Object, target: Object | None, restores: Objects
) -> Object:
    before = content["spec"]["source"]["virtualMachine"]
    specification = json.loads(json.dumps(before["spec"]))
    new = {one["volumeName"]: one for one in restores}
    templates = specification.get("dataVolumeTemplates", [])
    for volume in specification["template"]["spec"]["volumes"]:
        one = new.get(volume["name"])
        if one and "dataVolumeName" in one:
            for template in templates:
                if template["metadata"]["name"] == volume["dataVolume"]["name"]:
                    template["metadata"]["name"] = one["dataVolumeName"]
            volume["dataVolume"]["name"] = one["dataVolumeName"]
        elif one:
            volume.pop("dataVolume", None)
            volume["persistentVolumeClaim"] = {"claimName": one["persistentVolumeClaim"]}
    kept = [v for v in specification["template"]["spec"]["volumes"] if "memoryDump" not in v]
    specification["template"]["spec"]["volumes"] = kept
    if target is None:
        metadata = {
            "name": restore["spec"]["target"]["name"],
            "namespace": restore["metadata"]["namespace"],
            "labels": before["metadata"].get("labels", {}),
            "annotations": before["metadata"].get("annotations", {}),
        }
        specification["runStrategy"] = "Halted"
    else:
        metadata = target["metadata"]
        specification["runStrategy"] = target["spec"].get("runStrategy", "Halted")
    metadata = {
        **metadata,
        "annotations": {**metadata.get("annotations", {}), LAST: mark(restore)},
    }
    return {
        "apiVersion": MACHINE[0],
        "kind": MACHINE[1],
        "metadata": metadata,
        "spec": specification,
    }


def patched(item: Any, patch: Object) -> Any:
    """JSON patch (RFC 6902), as far as tests go: add, replace and remove."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in patch["path"].split("/")][
        1:
    ]
    item = json.loads(json.dumps(item))
    parent = item
    for part in way:
        parent = parent[int(part)] if isinstance(parent, list) else parent[part]
    key = int(last) if isinstance(parent, list) else last
    if patch["op"] == "remove":
        del parent[key]
    else:
        parent[key] = patch["value"]
    return item
