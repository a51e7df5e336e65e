"""A stand-in for KubeVirt's controller of snapshots, on real VolumeSnapshots of the tests' storage.

Follows pkg/storage/snapshot (snapshot.go, source.go) of KubeVirt v1.9 in locking, phases,
conditions, indications, deadline, deletion, and in which disks it takes and which it leaves out in
silence; it freezes guests by their subresources. Not followed: the feature gate and webhooks, which
are before the API server; the copies of revisions; StorageProfiles.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from stillpoint.model import duration
from tests.cluster.api import Api, ApiError, Object, Objects
from tests.cluster.watcher import Watcher, lost_race

GROUP = "snapshot.kubevirt.io/v1beta1"
SNAPSHOT = (GROUP, "VirtualMachineSnapshot")
CONTENT = (GROUP, "VirtualMachineSnapshotContent")
MACHINE = ("kubevirt.io/v1", "VirtualMachine")
INSTANCE = ("kubevirt.io/v1", "VirtualMachineInstance")
CLAIM = ("v1", "PersistentVolumeClaim")
VOLUME_SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
VOLUME_SNAPSHOT_CLASS = ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass")
STORAGE_CLASS = ("storage.k8s.io/v1", "StorageClass")
DATA_VOLUME = ("cdi.kubevirt.io/v1beta1", "DataVolume")

VSS_LIMIT = "fsfreeze is limited"
PROTECTION = "snapshot.kubevirt.io/vmsnapshot-protection"
CONTENT_PROTECTION = "snapshot.kubevirt.io/vmsnapshotcontent-protection"
SOURCE_PROTECTION = "snapshot.kubevirt.io/snapshot-source-protection"
DEFAULT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
STATE = "persistent-state-for"

MESSAGES = {word: f"as KubeVirt's controller says of {word}" for word in (
    "Online", "GuestAgent", "NoGuestAgent", "QuiesceTimeout", "Paused", "PartialSnapshot",
)}  # fmt: skip


class SnapshotController(Watcher):
    """Looks around ten times a second while its context lasts.

    Attributes:
        ahead: how far its clock is, so that no test waits for a deadline.
    """

    def __init__(self, api: Api, namespaces: Sequence[str]) -> None:
        self.api = api
        self.namespaces = namespaces
        self.ahead = timedelta()
        super().__init__()

    def time(self) -> datetime:
        """Now, by this controller's clock."""
        return datetime.now(UTC) + self.ahead

    def look(self) -> None:
        for namespace in self.namespaces:
            self.look_into(namespace)

    def look_into(self, namespace: str) -> None:
        for kind, update in ((SNAPSHOT, self._update), (CONTENT, self._update_content)):
            for item in self.api.list(*kind, namespace):
                with lost_race():
                    update(item)

    def _update(self, snapshot: Object) -> None:
        namespace, name = identity(snapshot)
        machine = self.api.find(*MACHINE, namespace, snapshot["spec"]["source"]["name"])
        content = self.api.find(*CONTENT, namespace, content_name(snapshot))
        is_ending = is_deleted(snapshot) or self._is_late(snapshot)
        if not is_ending:
            self._protect(snapshot)
        message = "Source not locked"
        if machine and snapshot.get("status"):
            if progresses(snapshot) and not is_ending:
                message = self._lock(machine, snapshot) or message
                if is_locked(self.api.get(*MACHINE, *identity(machine)), name) and not content:
                    self._create_content(snapshot, machine)
            elif not progresses(snapshot) or not content or not deletes(snapshot, content):
                self._unlock(machine, name)
        if is_ending and content and deletes(snapshot, content) and not is_deleted(content):
            self.api.delete(*CONTENT, *identity(content))
        status = self._status(snapshot, machine, message)
        if status != snapshot.get("status"):
            self._replace_status(snapshot, status)
        elif is_deleted(snapshot) and not (content and deletes(snapshot, content)):
            self._release(SNAPSHOT, snapshot, PROTECTION)

    def _lock(self, machine: Object, snapshot: Object) -> str:
        """Locks the machine, unless something is in the way: what that is."""
        namespace, name = identity(machine)
        source = f" source {namespace}/{name}"
        claims = self.claims(machine)
        if claims is None:
            return "Source not locked"
        for claim in claims.values():
            if trouble := self._trouble(namespace, claim):
                return f"Source not locked{source} {trouble}: {claim}"
        if self.api.find(*INSTANCE, namespace, name) is None:
            pods = [pod for pod in self.api.list("v1", "Pod", namespace) if uses(pod, claims)]
            if pods:
                return f"Source not locked source is offline but {len(pods)} pods using PVCs"
        other = machine.get("status", {}).get("snapshotInProgress")
        if other and other != snapshot["metadata"]["name"]:
            return f'Source not locked snapshot "{other}" in progress'
        if not is_locked(machine, snapshot["metadata"]["name"]):
            in_progress = {"snapshotInProgress": snapshot["metadata"]["name"]}
            self._patch_status(MACHINE, machine, in_progress)
            finalizers = [*machine["metadata"].get("finalizers", ()), SOURCE_PROTECTION]
            self._patch(MACHINE, machine, {"metadata": {"finalizers": finalizers}})
        return "Source locked and operation in progress"

    def _unlock(self, machine: Object, name: str) -> None:
        if machine.get("status", {}).get("snapshotInProgress") == name:
            self._release(MACHINE, machine, SOURCE_PROTECTION)
            self._patch_status(MACHINE, machine, {"snapshotInProgress": None})

    def claims(self, machine: Object) -> dict[str, str] | None:
        """Claims by volume; None while a vTPM or EFI has no claim yet."""
        found = {}
        for volume in machine["spec"]["template"]["spec"].get("volumes", ()):
            for kind, key in (
                ("dataVolume", "name"),
                ("persistentVolumeClaim", "claimName"),
                ("memoryDump", "claimName"),
            ):
                if kind in volume:
                    found[volume["name"]] = volume[kind][key]
        if needs_state(machine):
            namespace, name = identity(machine)
            states = self.api.list(*CLAIM, namespace, labels=f"{STATE}={name}")
            if not states:
                return None
            found[f"{STATE}-{name}"] = states[-1]["metadata"]["name"]
        return found

    def _trouble(self, namespace: str, name: str) -> str:
        claim = self.api.find(*CLAIM, namespace, name)
        if claim is None:
            return "volume doesnt exist"
        if is_deleted(claim):
            return "volume is being deleted"
        if claim["status"].get("phase") != "Bound":
            return "volume not bound"
        for owner in claim["metadata"].get("ownerReferences", ()):
            if owner["kind"] == "DataVolume":
                filler = self.api.find(*DATA_VOLUME, namespace, owner["name"])
                if not filler or filler.get("status", {}).get("phase") != "Succeeded":
                    return "volume not populated"
        return ""

    def _create_content(self, snapshot: Object, machine: Object) -> None:
        backups = []
        for volume, name in (self.claims(machine) or {}).items():
            claim = self.api.get(*CLAIM, snapshot["metadata"]["namespace"], name)
            classes = self._classes(claim)
            if len(classes) > 1 and not any(map(is_default, classes)):
                return  # tried again until the deadline
            if classes:
                backups.append(
                    {
                        "volumeName": volume,
                        "persistentVolumeClaim": {
                            "metadata": simplified(claim),
                            "spec": claim["spec"],
                        },
                        "volumeSnapshotName": (
                            f"vmsnapshot-{snapshot['metadata']['uid']}-volume-{volume}"
                        ),
                    }
                )
        taken = {"metadata": simplified(machine), "spec": machine["spec"], "status": {}}
        self.api.create(
            {
                "apiVersion": GROUP,
                "kind": CONTENT[1],
                "metadata": {
                    "name": content_name(snapshot),
                    "namespace": snapshot["metadata"]["namespace"],
                    "finalizers": [CONTENT_PROTECTION],
                },
                "spec": {
                    "virtualMachineSnapshotName": snapshot["metadata"]["name"],
                    "source": {"virtualMachine": taken},
                    "volumeBackups": backups,
                },
            }
        )

    def _classes(self, claim: Object) -> Objects:
        name = claim["spec"].get("storageClassName")
        storage = name and self.api.find(*STORAGE_CLASS, None, name)
        if not storage:
            return []
        classes = self.api.list(*VOLUME_SNAPSHOT_CLASS)
        return [one for one in classes if one["driver"] == storage["provisioner"]]

    def _update_content(self, content: Object) -> None:
        namespace, _name = identity(content)
        snapshot = self.api.find(
            *SNAPSHOT, namespace, content["spec"]["virtualMachineSnapshotName"]
        )
        if snapshot is None or is_deleted(snapshot) or self._is_late(snapshot):
            if snapshot:
                self._thaw(snapshot)
            self._release(CONTENT, content, CONTENT_PROTECTION)
            if snapshot is None or deletes(snapshot, content):
                return
        if is_deleted(content):
            return
        status: Object = dict(content.get("status", {}))
        try:
            found = self._volume_snapshots(content, snapshot)
            if found is None:
                return
            status |= summary(found, status)
            if status.get("creationTime") and not content.get("status", {}).get("creationTime"):
                self._thaw(snapshot)
        except FreezeError as error:
            status.pop("creationTime", None)
            status |= {"readyToUse": False, "error": {"message": str(error), "time": now()}}
        if unlike(status, content.get("status", {})):
            self._replace_status(content, status)

    def _volume_snapshots(self, content: Object, snapshot: Object | None) -> Objects | None:
        """The VolumeSnapshots of a content, made if they are missing; None to come again."""
        namespace, _ = identity(content)
        frozen = False
        found = []
        for backup in content["spec"].get("volumeBackups", ()):
            name = backup["volumeSnapshotName"]
            one = self.api.find(*VOLUME_SNAPSHOT, namespace, name)
            if one is None and not content.get("status", {}).get("creationTime"):
                if snapshot is None:
                    return None
                if not frozen and not self._freeze(snapshot):
                    return None
                frozen = True
                claim = backup["persistentVolumeClaim"]
                one = self.api.create(volume_snapshot(content, name, claim, self._classes(claim)))
            found.append(one or {"metadata": {"name": name}, "status": None})
        return found

    def _freeze(self, snapshot: Object) -> bool:
        namespace, name = snapshot["metadata"]["namespace"], snapshot["spec"]["source"]["name"]
        machine = self.api.find(*MACHINE, namespace, name)
        if not machine or not is_locked(machine, snapshot["metadata"]["name"]):
            return False
        instance = self.api.find(*INSTANCE, namespace, name)
        if freezes(instance) and instance["status"].get("fsFreezeStatus") != "frozen":
            timeout = {"unfreezeTimeout": snapshot["spec"].get("failureDeadline", "5m0s")}
            self._ask("freeze", namespace, name, timeout)
        return True

    def _thaw(self, snapshot: Object | None) -> None:
        name = (snapshot or {}).get("spec", {}).get("source", {}).get("name", "")
        namespace = (snapshot or {"metadata": {"namespace": ""}})["metadata"]["namespace"]
        machine = name and self.api.find(*MACHINE, namespace, name)
        is_ours = machine and snapshot and is_locked(machine, snapshot["metadata"]["name"])
        if is_ours and freezes(self.api.find(*INSTANCE, namespace, name)):
            self._ask("unfreeze", namespace, name)

    def _ask(self, verb: str, namespace: str, name: str, body: Object | None = None) -> None:
        guest = f"namespaces/{namespace}/virtualmachineinstances/{name}"
        try:
            self.api.request("PUT", f"/apis/subresources.kubevirt.io/v1/{guest}/{verb}", body)
        except ApiError as error:
            raise FreezeError(str(error)) from error

    def _status(self, snapshot: Object, machine: Object | None, message: str) -> Object:
        namespace, _ = identity(snapshot)
        status: Object = dict(snapshot.get("status") or {"readyToUse": False})
        content = self.api.find(*CONTENT, namespace, content_name(snapshot))
        if machine:
            status["sourceUID"] = machine["metadata"]["uid"]
        if content and content.get("status"):
            status["virtualMachineSnapshotContentName"] = content["metadata"]["name"]
            for key in ("creationTime", "readyToUse", "error"):
                status.pop(key, None)
                if key in content["status"]:
                    status[key] = content["status"][key]
        if status.get("phase") == "Failed" or self._is_late({**snapshot, "status": status}):
            status["phase"] = "Failed"
            set_condition(status, "Failure", "True", "snapshot deadline exceeded")
            set_condition(status, "Progressing", "False", "Operation failed")
        elif status.get("phase") == "Succeeded" or status.get("creationTime"):
            status["phase"] = "Succeeded"
            set_condition(status, "Progressing", "False", "Operation complete")
            if content:
                note_volumes(status, content)
        else:
            is_busy = message == "Source locked and operation in progress"
            status["phase"] = "Deleting" if is_deleted(snapshot) else "InProgress"
            if machine:
                self._indicate(status, machine)
            reason = message if machine else "Source does not exist"
            set_condition(status, "Progressing", str(is_busy), reason)
        is_ready = bool(status.get("readyToUse"))
        set_condition(status, "Ready", str(is_ready), "Ready" if is_ready else "Not ready")
        if status.get("error"):
            set_condition(status, "Progressing", "False", "In error state")
        return status

    def _is_late(self, snapshot: Object) -> bool:
        status = snapshot.get("status") or {}
        if status.get("phase") == "Failed":
            return True
        limit = duration.parse(snapshot["spec"].get("failureDeadline", "5m"))
        if not limit or not progresses(snapshot) or status.get("creationTime"):
            return False
        created = datetime.fromisoformat(snapshot["metadata"]["creationTimestamp"])
        return created + limit < self.time()

    def _indicate(self, status: Object, machine: Object) -> None:
        instance = self.api.find(*INSTANCE, *identity(machine))
        if instance is None:
            status.pop("indications", None)
            status.pop("sourceIndications", None)
            return
        words = {*status.get("indications", ()), "Online"}
        if has_condition(instance, "Paused"):
            words.add("Paused")
        elif has_condition(instance, "AgentConnected"):
            words.add("GuestAgent")
            if VSS_LIMIT in status.get("error", {}).get("message", ""):
                words.add("QuiesceTimeout")
        else:
            words.add("NoGuestAgent")
        indicate(status, sorted(words))

    def _protect(self, snapshot: Object) -> None:
        finalizers = snapshot["metadata"].get("finalizers", [])
        if PROTECTION not in finalizers:
            self._patch(SNAPSHOT, snapshot, {"metadata": {"finalizers": [*finalizers, PROTECTION]}})

    def _release(self, kind: tuple[str, str], item: Object, finalizer: str) -> None:
        found = self.api.find(*kind, *identity(item))
        finalizers = (found or {}).get("metadata", {}).get("finalizers", [])
        if finalizer in finalizers:
            left = [one for one in finalizers if one != finalizer]
            self._patch(kind, item, {"metadata": {"finalizers": left or None}})

    def _patch(self, kind: tuple[str, str], item: Object, change: Object) -> None:
        self.api.patch(*kind, *identity(item), change)

    def _patch_status(self, kind: tuple[str, str], item: Object, change: Object) -> None:
        path = self.api.path(*kind, *identity(item)) + "/status"
        self.api.request("PATCH", path, {"status": change}, "application/merge-patch+json")

    def _replace_status(self, item: Object, status: Object) -> None:
        self.api.replace_status(item, status)


class FreezeError(Exception):
    """The guest agent, or virt-launcher, refuses."""


def identity(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def content_name(snapshot: Object) -> str:
    named = (snapshot.get("status") or {}).get("virtualMachineSnapshotContentName")
    return str(named or f"vmsnapshot-content-{snapshot['metadata']['uid']}")


def is_deleted(item: Object) -> bool:
    return "deletionTimestamp" in item["metadata"]


def progresses(snapshot: Object) -> bool:
    return (snapshot.get("status") or {}).get("phase") not in ("Failed", "Succeeded")


def deletes(snapshot: Object, content: Object) -> bool:
    is_kept = snapshot["spec"].get("deletionPolicy") == "Retain"
    return not is_kept or not content.get("status", {}).get("readyToUse")


def is_locked(machine: Object, name: str) -> bool:
    is_named = machine.get("status", {}).get("snapshotInProgress") == name
    return is_named and SOURCE_PROTECTION in machine["metadata"].get("finalizers", ())


def needs_state(machine: Object) -> bool:
    domain = machine["spec"]["template"]["spec"].get("domain", {})
    tpm = domain.get("devices", {}).get("tpm", {})
    efi = domain.get("firmware", {}).get("bootloader", {}).get("efi", {})
    return bool(tpm.get("persistent") or efi.get("persistent"))


def uses(pod: Object, claims: dict[str, str]) -> bool:
    is_over = pod["status"].get("phase") in ("Succeeded", "Failed")
    mounted = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes", ())
        if "persistentVolumeClaim" in volume
    ]
    return not is_over and any(claim in claims.values() for claim in mounted)


def freezes(instance: Object | None) -> TypeGuard[Object]:
    if instance is None or has_condition(instance, "Paused"):
        return False
    return has_condition(instance, "AgentConnected")


def has_condition(instance: Object, kind: str) -> bool:
    conditions = instance.get("status", {}).get("conditions", ())
    return any((one["type"], one["status"]) == (kind, "True") for one in conditions)


def is_default(snapshot_class: Object) -> bool:
    return DEFAULT_CLASS in snapshot_class["metadata"].get("annotations", {})


def simplified(item: Object) -> Object:
    return {key: value for key, value in item["metadata"].items() if key != "managedFields"}


def volume_snapshot(content: Object, name: str, claim: Object, classes: Objects) -> Object:
    machine = content["spec"]["source"]["virtualMachine"]["metadata"]
    chosen = next((one for one in classes if is_default(one)), classes[0])
    owner = {
        "apiVersion": GROUP,
        "kind": CONTENT[1],
        "name": content["metadata"]["name"],
        "uid": content["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": VOLUME_SNAPSHOT[0],
        "kind": VOLUME_SNAPSHOT[1],
        "metadata": {
            "name": name,
            "namespace": content["metadata"]["namespace"],
            "labels": {
                "snapshot.kubevirt.io/source-vm-name": machine["name"],
                "snapshot.kubevirt.io/source-vm-namespace": machine["namespace"],
            },
            "ownerReferences": [owner],
        },
        "spec": {
            "source": {"persistentVolumeClaimName": claim["metadata"]["name"]},
            "volumeSnapshotClassName": chosen["metadata"]["name"],
        },
    }


def summary(found: Objects, status: Object) -> Object:
    """The status of a content, by its VolumeSnapshots."""
    missing = [one["metadata"]["name"] for one in found if one.get("status", {}) is None]
    states = [
        {
            "volumeSnapshotName": one["metadata"]["name"],
            **{
                key: one["status"][key]
                for key in ("readyToUse", "creationTime", "error")
                if key in (one.get("status") or {})
            },
        }
        for one in found
        if one.get("status", {}) is not None
    ]
    errors = [
        f"VolumeSnapshot {one['volumeSnapshotName']} error: {one['error']['message']}"
        for one in states
        if one.get("error", {}).get("message")
    ]
    if missing:
        errors = [f"VolumeSnapshots ({','.join(missing)}) missing"]
    is_ready = not missing and all(one.get("readyToUse") for one in states)
    changed: Object = {"readyToUse": is_ready, "volumeSnapshotStatus": states}
    if not missing and all(one.get("creationTime") for one in states):
        changed["creationTime"] = status.get("creationTime") or now()
    changed["error"] = {"message": errors[0], "time": now()} if errors and not is_ready else None
    return changed


def unlike(status: Object, before: Object) -> bool:
    """Whether more has changed than the time of the error; empty fields count as missing."""

    def bare(one: Object) -> Object:
        error = {"error": (one.get("error") or {}).get("message")}
        return {key: value for key, value in (one | error).items() if value is not None}

    return bare(status) != bare(before)


def note_volumes(status: Object, content: Object) -> None:
    volumes = content["spec"]["source"]["virtualMachine"]["spec"]["template"]["spec"]["volumes"]
    taken = [one["volumeName"] for one in content["spec"].get("volumeBackups", ())]
    names = [one["name"] for one in volumes]
    names += [one for one in taken if one not in names]
    kinds = ("dataVolume", "persistentVolumeClaim", "memoryDump")
    left = [one for one in volumes if one["name"] not in taken and any(k in one for k in kinds)]
    included = [name for name in names if name in taken]
    excluded = [name for name in names if name not in taken]
    lists = {"includedVolumes": included, "excludedVolumes": excluded}
    status["snapshotVolumes"] = {key: value for key, value in lists.items() if value}
    if left:
        indicate(status, [*dict.fromkeys([*status.get("indications", ()), "PartialSnapshot"])])


def indicate(status: Object, words: Sequence[str]) -> None:
    status["indications"] = list(words)
    status["sourceIndications"] = [
        {"indication": word, "message": MESSAGES[word]} for word in words
    ]


def set_condition(status: Object, kind: str, value: str, reason: str) -> None:
    conditions = [dict(one) for one in status.get("conditions", ())]
    found = next((one for one in conditions if one["type"] == kind), None)
    if found is None or (found["status"], found["reason"]) != (value, reason):
        new = {"type": kind, "status": value, "reason": reason, "lastTransitionTime": now()}
        conditions = [one for one in conditions if one["type"] != kind] + [new]
    status["conditions"] = sorted(conditions, key=lambda one: str(one["type"]))


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
