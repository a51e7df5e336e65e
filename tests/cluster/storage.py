"""CSI storage: our driver with real snapshots, and the usual controllers beside it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.cluster.api import Api, Object
from tests.cluster.control_plane import ControlPlane
from tests.cluster.journal import read_journal
from tests.cluster.processes import Processes
from tests.peers.build import binary

DRIVER = "disks.stillpoint.test"
CLASS = "disks"
AT_FIRST_USE = "disks-at-first-use"
"""The same storage; a claim is bound when a scheduler has chosen a node for a pod with it."""

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""Annotation of the scheduler's on such a claim."""


@dataclass(frozen=True)
class Cut:
    """One snapshot: its bytes are those of some moment between the two times.

    Attributes:
        group: the storage's name for what was taken together at one moment; empty if alone.
    """

    claim: str
    snapshot: str
    started: datetime
    finished: datetime
    group: str = ""


class Storage:
    """One array of disks, which several clusters may use; one of them runs the driver.

    Args:
        groups: the version of the API of group snapshots.
    """

    def __init__(
        self, processes: Processes, control_plane: ControlPlane, folder: Path, groups: str
    ) -> None:
        self.processes = processes
        self.control_plane = control_plane
        self.folder = folder
        self.groups = groups
        self.socket = folder / "csi.sock"
        self._given: dict[str, str] = {}

    def start(self, api: Api) -> None:
        """Needs the snapshot API's custom resources."""
        if not self.socket.exists():
            self._start_driver()
        kubeconfig = f"--kubeconfig={self.control_plane.kubeconfig('storage')}"
        common = [kubeconfig, "--v=3", "--kube-api-qps=500", "--kube-api-burst=1000"]
        of_snapshots = [*common, "--feature-gates=CSIVolumeGroupSnapshot=true"]
        release = "" if self.groups == "v1" else f"-{self.groups}"
        self.snapshot_controller = self.processes.start(
            "snapshot-controller", [binary(f"snapshot-controller{release}"), *of_snapshots]
        )
        options = [f"--csi-address={self.socket}", "--extra-create-metadata"]
        # Snapshots of claims that went unbound are let go of then; by default every five minutes.
        of_claims = [*common, "--snapshot-orphan-sweep-interval=10s"]
        for sidecar, flags in (
            (f"csi-snapshotter{release}", of_snapshots),
            ("csi-provisioner", of_claims),
        ):
            self.processes.start(sidecar, [binary(sidecar), *flags, *options])
        for manifest in manifests(self.groups):
            api.create(manifest)

    def _start_driver(self) -> None:
        self.folder.mkdir()
        driver = self.processes.start(
            "disks", [binary("disks"), f"--socket={self.socket}", f"--directory={self.folder}"]
        )
        self.processes.wait(driver, self.socket.exists, "listening")

    def disk_path(self, namespace: str, claim: str) -> Path:
        """The volume of a claim: a folder in Filesystem mode, a file in Block mode."""
        return (self.folder / "claims" / namespace / claim).resolve(strict=True)

    def link(self, namespace: str, claim: str, volume: str) -> None:
        """Points a claim's name at a volume that was provisioned for another claim."""
        link = self.folder / "claims" / namespace / claim
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(self.folder / "volumes" / volume)

    def give(self, namespace: str, provisioned_for: str, claim: str, volume: str) -> None:
        """A volume goes to another claim, and its cuts are told as that one's."""
        self.link(namespace, claim, volume)
        self._given[f"{namespace}/{provisioned_for}"] = f"{namespace}/{claim}"

    def image(self, namespace: str, claim: str) -> Path:
        """The file with the bytes of a disk: disk.img on a filesystem, or the device itself."""
        volume = self.disk_path(namespace, claim)
        return volume / "disk.img" if volume.is_dir() else volume

    @contextmanager
    def orders(self, namespace: str, **claims: str) -> Iterator[None]:
        """Snapshots of claims go wrong for a while.

        They `fail`, `hang`, are `unready`, last `2s`, or wait for the end of that: `hold`.
        """
        folder = self.folder / "orders" / namespace
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / claim.replace("_", "-") for claim in claims]
        for file, order in zip(files, claims.values(), strict=True):
            file.write_text(order)
        try:
            yield
        finally:
            for file in files:
                file.unlink()

    def snapshots(self) -> set[str]:
        """Names of all snapshots whose bytes are in the storage."""
        return {each.name for each in (self.folder / "snapshots").iterdir()}

    def cuts(self) -> dict[str, list[Cut]]:
        """Snapshots ever cut, also those deleted since, by NAMESPACE/CLAIM, the oldest first."""
        found: dict[str, list[Cut]] = {}
        for line in read_journal(self.folder / "cuts.jsonl"):
            started, finished = map(datetime.fromisoformat, (line["started"], line["finished"]))
            claim = self._given.get(line["claim"], line["claim"])
            cut = Cut(claim, line["snapshot"], started, finished, line["group"])
            found.setdefault(cut.claim, []).append(cut)
        return found


def manifests(groups: str) -> list[Object]:
    return [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": {"name": DRIVER},
            "spec": {"attachRequired": False, "volumeLifecycleModes": ["Persistent"]},
        },
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": DRIVER,
            "volumeBindingMode": "Immediate",
            "reclaimPolicy": "Delete",
        },
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": AT_FIRST_USE},
            "provisioner": DRIVER,
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        },
        {
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": {
                "name": CLASS,
                "labels": {"velero.io/csi-volumesnapshot-class": "true"},
            },
            "driver": DRIVER,
            "deletionPolicy": "Delete",
        },
        {
            "apiVersion": f"groupsnapshot.storage.k8s.io/{groups}",
            "kind": "VolumeGroupSnapshotClass",
            "metadata": {"name": CLASS},
            "driver": DRIVER,
            "deletionPolicy": "Delete",
        },
    ]


def wait_until_bound(api: Api, namespace: str, timeout_s: float = 120) -> None:
    """Returns when every claim of the namespace is bound: a backup fails on others."""
    deadline = time.monotonic() + timeout_s
    while unbound := [
        claim["metadata"]["name"]
        for claim in api.list("v1", "PersistentVolumeClaim", namespace)
        if claim["status"].get("phase") != "Bound"
    ]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"claims in {namespace} not bound: {', '.join(unbound)}")
        time.sleep(0.1)
