"""Verifications of real Velero's backups: the command's own seconds beside restore and boot."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.cluster import s3, verify_account, verifying
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.scratch_guests import ScratchGuests
from tests.cluster.velero import NAMESPACE

SHOP = "verified"
MACHINES = (1, 4)
ROUNDS = 3
"""Runs of each size whose median counts."""

PROGRAM = "import sys; from stillpoint import cli; sys.exit(cli.main())"


@dataclass(frozen=True)
class Measured:
    """One run, a machine at a time.

    Attributes:
        wall_s: of the command.
        restore_s: Velero's, until the disks are there; of all machines.
        boot_s: from the start of each guest until nothing is left to be seen of it.
        clear_s: until all of a machine is gone; the next one begins sooner.
    """

    wall_s: float
    restore_s: float
    boot_s: float
    clear_s: float
    requests: int

    @property
    def own_s(self) -> float:
        return self.wall_s - self.restore_s - self.boot_s


def run() -> None:
    """One machine after the other, each with two disks, its guest a stand-in."""
    cluster = Cluster()
    try:
        cluster.start()
        cluster.start_velero()
        with s3.serving(cluster), tempfile.TemporaryDirectory() as folder:
            populate(cluster)
            kubeconfig = verify_account.give(cluster)
            with ScratchGuests(cluster, verifying.Guests(Path(folder), {}).start):
                rounds = [
                    [verify(cluster, kubeconfig, count) for count in MACHINES]
                    for _ in range(ROUNDS)
                ]
        report([list(each) for each in zip(*rounds, strict=True)])
    finally:
        cluster.close()


def populate(cluster: Cluster) -> None:
    """Machines that run, and a backup of them whose snapshots the plugin took."""
    cluster.create_namespace(SHOP)
    disks = (Disk("root"), Disk("data", "Block"))
    cluster.create_vms(
        [Machine(SHOP, f"vm-{number}", disks=disks) for number in range(max(MACHINES))]
    )
    spec = {"includedNamespaces": [SHOP], "storageLocation": s3.LOCATION, "snapshotVolumes": False}
    taken = cluster.backup(SHOP, spec, annotations={"stillpoint.dev/snapshotter": "all"})
    if taken["status"]["phase"] != "Completed":
        raise RuntimeError(cluster.backup_log(SHOP)[-5_000:])


def verify(cluster: Cluster, kubeconfig: Path, count: int) -> Measured:
    names = [f"vm-{number}" for number in range(count)]
    place = ("-n", NAMESPACE, "--kubeconfig", str(kubeconfig))
    options = ("-y", "--at-once", "1", "-o", "json")
    since, begin = datetime.now(UTC), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "verify", SHOP, *names, *options, *place],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    wall_s = time.monotonic() - begin
    steps = [step for one in json.loads(done.stdout)["machines"] for step in one["steps"]]

    def total(*codes: str) -> float:
        return float(sum(step["seconds"] for step in steps if step["code"] in codes))

    return Measured(
        wall_s,
        total("restore", "disks"),
        total("start", "agent", "record", "answers"),
        total("clear"),
        verifying.requests(cluster, since).total(),
    )


def report(runs: Sequence[Sequence[Measured]]) -> None:
    head = ("wall s", "restore s", "boot s", "own s", "clear s", "requests")
    print(f"{'machines':<26}", *(f"{one:>9}" for one in head))
    for count, each in zip(MACHINES, runs, strict=True):
        tell(str(count), [of_each(one) for one in each])
    few, many = MACHINES
    more = [
        [(b - a) / (many - few) for a, b in zip(of_each(one), of_each(other), strict=True)]
        for one, other in zip(*runs, strict=True)
    ]
    tell("each further one", more)


def of_each(one: Measured) -> Sequence[float]:
    return one.wall_s, one.restore_s, one.boot_s, one.own_s, one.clear_s, one.requests


def tell(name: str, rows: Sequence[Sequence[float]]) -> None:
    *seconds, requests = (median(column) for column in zip(*rows, strict=True))
    print(f"{name:<26}", *(f"{one:>9.1f}" for one in seconds), f"{requests:>9.0f}", flush=True)
