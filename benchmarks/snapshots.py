"""Backups with snapshots by real Velero: frozen guests, time and requests, by who takes them."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.storage import DRIVER
from tests.cluster.velero import NAMESPACE, Settings

DISKS = (1, 2, 4, 8, 16)
MANY_DISKS = 64
ROUNDS = 3
"""Backups of each kind whose median counts, where they take seconds."""

POLICY = f"""
version: v1
volumePolicies:
- conditions: {{csi: {{driver: {DRIVER}}}}}
  action: {{type: custom, parameters: {{snapshotter: stillpoint}}}}
"""
BY_POLICY: Object = {"resourcePolicy": {"kind": "configmap", "name": "own-snapshots"}}
THAW = ("rbac.authorization.k8s.io/v1", "ClusterRole", None, "stillpoint-thaw")
_TELLING = re.compile("level=error|std(out|err): ").search
"""In lines of Velero's log about what failed, what hooks said of it included."""

YOUNG_S = 31
"""What is younger than that when a backup starts is fetched again (`actions.graph`)."""


class Incomplete(Exception):
    """A backup that did not succeed, by the telling lines of its log."""


@dataclass(frozen=True)
class Way:
    """How the snapshots of a backup are taken.

    Attributes:
        has_plugin: false for Velero alone.
        polls_often: Velero looks every second and not every five.
        is_ours: the plugin takes them.
        may_thaw: the plugin has the right to thaw when it has them.
    """

    has_plugin: bool = True
    polls_often: bool = False
    is_ours: bool = False
    may_thaw: bool = True


WAYS = {
    "Velero alone, every 5 s": Way(has_plugin=False),
    "Velero, every 5 s": Way(),
    "Velero, every 1 s": Way(polls_often=True),
    "stillpoint, thawed by Velero": Way(is_ours=True, may_thaw=False),
    "stillpoint": Way(is_ours=True),
}
OURS = "stillpoint"


@dataclass(frozen=True)
class Measured:
    """One backup: its time, requests to the API server, and how long each guest was frozen."""

    backup: Object
    wall_s: float
    requests: int
    frozen_s: Sequence[float]


def run() -> None:
    """Guests that stand in for real ones; each machine is frozen once in each backup."""
    cluster = Cluster()
    try:
        cluster.start()
        write_policy(cluster)
        by_disks(cluster)
        by_machines(cluster)
    finally:
        cluster.close()


def write_policy(cluster: Cluster) -> None:
    """The ConfigMap that leaves the volumes of a backup to the plugin."""
    cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "own-snapshots", "namespace": NAMESPACE},
            "data": {"policies.yaml": POLICY},
        }
    )


def by_disks(cluster: Cluster) -> None:
    """Seconds frozen of one machine, by its disks."""
    for count in (*DISKS, MANY_DISKS):
        create(cluster, f"disks-{count}", 1, count)
    print(f"{'seconds frozen, disks:':<32}", *(f"{count:>7}" for count in (*DISKS, MANY_DISKS)))
    for name, way in WAYS.items():
        if not way.has_plugin:
            continue
        counts = (*DISKS, MANY_DISKS) if way.is_ours else DISKS
        with prepared(cluster, way):
            found = [frozen(cluster, way, f"disks-{count}") for count in counts]
        print(f"{name:<32}", *(f"{seconds:>7.2f}" for seconds in found), flush=True)


def by_machines(cluster: Cluster) -> None:
    """Time and requests of whole backups of machines of two disks."""
    for count in (12, 300):
        create(cluster, f"machines-{count}", count, 2)
    time.sleep(YOUNG_S)
    print(
        f"\n{'machines of 2 disks':<32}{'wall s':>8}{'frozen s':>10}{'longest':>9}{'requests':>10}"
    )
    for name, way in WAYS.items():
        with prepared(cluster, way):
            rounds = ROUNDS if way.is_ours else 1
            runs = [backup(cluster, way, "machines-12") for _ in range(rounds)]
        tell(f"12: {name}", runs)
    for workers in (1, 8):
        with prepared(cluster, WAYS[OURS], workers):
            tell(f"300: {OURS}, workers: {workers}", [backup(cluster, WAYS[OURS], "machines-300")])


def create(cluster: Cluster, namespace: str, machines: int, disks: int) -> None:
    cluster.create_namespace(namespace)
    of_each = tuple(Disk(f"disk-{number}") for number in range(disks))
    cluster.create_vms(
        [Machine(namespace, f"vm-{number:03}", disks=of_each) for number in range(machines)]
    )


@contextmanager
def prepared(cluster: Cluster, way: Way, workers: int = 1) -> Iterator[None]:
    """A Velero server, and rights, for one way."""
    plugin = cluster.velero.plugin_under_test() if way.has_plugin else None
    settings = Settings(plugin=plugin, polls_often=way.polls_often, item_block_workers=workers)
    rules = cluster.api.get(*THAW)["rules"]
    cluster.api.patch(*THAW, {"rules": rules if way.may_thaw else []})
    try:
        with cluster.velero_with(settings):
            yield
    finally:
        cluster.api.patch(*THAW, {"rules": rules})


def frozen(cluster: Cluster, way: Way, namespace: str) -> float:
    rounds = ROUNDS if way.is_ours else 1
    return median(backup(cluster, way, namespace).frozen_s[0] for _ in range(rounds))


def backup(cluster: Cluster, way: Way, namespace: str) -> Measured:
    since, begin = datetime.now(UTC), time.monotonic()
    name = f"{namespace}-{since:%H%M%S%f}"
    spec = {"includedNamespaces": [namespace], **(BY_POLICY if way.is_ours else {})}
    done = cluster.backup(name, spec, timeout_s=1_800)
    wall_s = time.monotonic() - begin
    if done["status"]["phase"] != "Completed":
        raise Incomplete("\n".join(filter(_TELLING, cluster.backup_log(name).splitlines())))
    requests = cluster.requests(since).total()
    return Measured(done, wall_s, requests, windows_s(cluster, namespace, since))


def windows_s(cluster: Cluster, namespace: str, since: datetime) -> Sequence[float]:
    """How long each guest of a namespace was frozen."""
    frozen, windows = {}, []
    for call in cluster.freezes():
        if call.namespace == namespace and call.time > since and call.has_changed:
            if call.verb == "freeze":
                frozen[call.name] = call.time
            else:
                windows.append((call.time - frozen[call.name]).total_seconds())
    return windows


def tell(name: str, runs: Sequence[Measured]) -> None:
    wall_s, requests = median(run.wall_s for run in runs), median(run.requests for run in runs)
    frozen_s = [seconds for run in runs for seconds in run.frozen_s]
    print(
        f"{name:<32}{wall_s:>8.1f}{median(frozen_s):>10.2f}{max(frozen_s):>9.2f}{requests:>10.0f}",
        flush=True,
    )
