"""A machine that runs, in a backup whose plugin watches guests."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from stillpoint.evidence.sealed import Key
from stillpoint.model.item import Item
from stillpoint.velero import seal_secret
from stillpoint.velero.context import BackupContext
from tests.unit.contexts import Hands, backup_context
from tests.unit.dictionary_reader import DictionaryReader

CONSOLE = "shop/virt-launcher-db guest-console-log"
COMPUTE = "shop/virt-launcher-db compute"
KEY = Key("s1")
UID_KEY = Key("b1", is_uid=True)
WITHOUT_SECRET: Item = {
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero", "uid": "b1"},
    "spec": {},
    "status": {"phase": "InProgress", "startTimestamp": "2026-05-04T11:59:00Z"},
}
BACKUP: Item = {
    **WITHOUT_SECRET,
    "metadata": {**WITHOUT_SECRET["metadata"], "annotations": {seal_secret.ANNOTATION: "b1.s1"}},
}
ENDED: Item = {
    **BACKUP,
    "status": {
        "phase": "WaitingForPluginOperations",
        "startTimestamp": "2026-05-04T11:59:00Z",
        "hookStatus": {"hooksAttempted": 2},
    },
}


def volumes(*claims: str) -> list[Item]:
    return [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]


def machine(name: str = "db", *, is_running: bool = True, annotations: Item | None = None) -> Item:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"vm-{name}",
            "resourceVersion": "70",
            "annotations": annotations or {},
        },
        "spec": {"template": {"spec": {"domain": {}, "volumes": volumes(f"{name}-root")}}},
        "status": {"created": True} if is_running else {},
    }


def instance(name: str = "db", **status: Any) -> Item:
    owner = {"kind": "VirtualMachine", "name": name, "uid": f"vm-{name}"}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"vmi-{name}",
            "resourceVersion": "80",
            "ownerReferences": [owner],
        },
        "spec": {"domain": {}, "volumes": volumes(f"{name}-root")},
        "status": {
            "phase": "Running",
            "nodeName": "n1",
            "activePods": {f"pod-{name}": "n1"},
            "conditions": [{"type": "AgentConnected", "status": "True", "lastProbeTime": "t"}],
            **status,
        },
    }


def launcher(name: str = "db", *, has_console: bool = True) -> Item:
    def command(verb: str) -> str:
        return json.dumps(["/usr/bin/virt-freezer", verb, "--name", name, "--namespace", "shop"])

    container = {"name": "guest-console-log"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"virt-launcher-{name}",
            "namespace": "shop",
            "uid": f"pod-{name}",
            "labels": {"kubevirt.io": "virt-launcher"},
            "annotations": {
                "kubevirt.io/domain": name,
                "pre.hook.backup.velero.io/command": command("--freeze"),
                "post.hook.backup.velero.io/command": command("--unfreeze"),
            },
        },
        "spec": {
            "initContainers": [container] if has_console else [],
            "volumes": volumes(f"{name}-root"),
        },
        "status": {"phase": "Running"},
    }


def claim(name: str = "db-root", **annotations: str) -> Item:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"claim-{name}",
            "annotations": annotations,
        },
        "spec": {"storageClassName": "fast", "volumeName": f"pv-{name}"},
        "status": {"phase": "Bound"},
    }


def snapshot(of: str = "db-root", backup: str = "nightly", **annotations: str) -> Item:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": f"velero-{of}-x",
            "namespace": "shop",
            "uid": f"snapshot-{of}",
            "labels": {"velero.io/backup-name": backup},
            "annotations": {
                "velero.io/csi-volumesnapshot-handle": "s-1",
                "velero.io/csi-driver-name": "fast.io",
                **annotations,
            },
        },
        "spec": {"source": {"persistentVolumeClaimName": of}},
        "status": {"creationTime": "2026-05-04T12:00:01Z"},
    }


def upload(of: str = "db-root", backup_uid: str = "b1") -> Item:
    return {
        "apiVersion": "velero.io/v2alpha1",
        "kind": "DataUpload",
        "metadata": {
            "name": f"nightly-{of}",
            "namespace": "velero",
            "labels": {"velero.io/backup-uid": backup_uid},
        },
        "spec": {"sourcePVC": of, "sourceNamespace": "shop"},
    }


SHOP: Sequence[Item] = (machine(), instance(), launcher(), claim(), snapshot())


def observing(
    reader: DictionaryReader, backup: Item = BACKUP, hands: Hands | None = None
) -> BackupContext:
    """A context of a plugin process that watches guests."""
    return replace(backup_context(backup, reader, hands=hands), is_observed=True)


def line(
    state: str, stamped: str = "2026-05-04T12:00:00.5Z", record: str = "r-1", **facts: Any
) -> bytes:
    said = {"v": 1, "id": record, "boot": "b-1", "state": state, **facts}
    return f"{stamped} @stillpoint {json.dumps(said)}\r".encode()


HELD = line("held", verdict="application", apps=["postgresql:15/main"])
RELEASED = line("released", "2026-05-04T12:00:04.5Z", held_s=4.0, lost=False, by="thaw")
OVER = line("over", "2026-05-04T12:00:04.6Z", lost=False)


def wait_until(is_so: Callable[[], Any]) -> None:
    """Guests are watched by threads."""
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)
