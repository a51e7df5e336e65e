"""Backups whose bytes a data mover has: they are waited for, told, and cleared like all else."""

import time
from collections.abc import Callable, Iterator

import pytest

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.machines import virtual_machine
from stillpoint.verification import leftovers
from stillpoint.verification.clearing import BYTES_S
from stillpoint.verification.interruption import Interruption
from stillpoint.verification.model import Observed
from stillpoint.verification.sweep import Sweep
from tests.unit.dictionary_reader import merged
from tests.unit.verification.played import ORIGINAL, Played, volume
from tests.unit.verification.test_attempt import KEPT, came_back, observed

BEGUN = {"startTimestamp": "2026-11-27T06:00:10Z", "node": "node-1"}
MOVING = {"phase": "InProgress", **BEGUN, "progress": {"bytesDone": 5, "totalBytes": 9}}
DONE = {"phase": "Completed", **BEGUN}
ACCEPTED = {"phase": "Accepted", "acceptedByNode": "node-1"}
LATE = {
    "kind": "StorageClass",
    "metadata": {"name": "disks"},
    "volumeBindingMode": "WaitForFirstConsumer",
}


class Moving(Played):
    """A cluster with a data mover, which the garbage collector has cancel its work.

    Attributes:
        status: of the DataDownload as Velero has restored all objects.
        cancels: false if no data mover is there to cancel it.
        then: the status once a guest uses the claim.
        binds_early: whether the claim is bound then, whatever the status.
    """

    def __init__(self, status: Item, *, is_late: bool = False) -> None:
        super().__init__()
        self.status, self.is_late = status, is_late
        self.cancels = True
        self.then: Item = DONE
        self.binds_early = False
        self.restored = self.moved
        if is_late:
            self.keep(LATE)
            self.before = set(self.objects)

    def moved(self, restore: Item) -> Iterator[Item]:
        """As `machine`, with a claim that waits for its bytes, and a DataDownload of them."""
        for item in self.machine(restore):
            if item["kind"] == "PersistentVolume":
                self.volume = merged(item, {"metadata": {"labels": selected(restore)}})
                claim = self.objects["PersistentVolumeClaim", it.name(restore), "db-root"]
                waiting = {
                    "dataSource": None,
                    "selector": {"matchLabels": selected(restore)},
                    "volumeName": "" if self.is_late else "pv-new",
                }
                status = {"phase": "Pending" if self.is_late else "Bound"}
                self.keep(merged(claim, {"spec": waiting, "status": status}))
                if not self.is_late:
                    yield self.volume
            elif item["kind"] != "VolumeSnapshotContent":
                yield item
        yield download(restore, self.status)

    def start(self, machine: Item) -> None:
        """The guest uses its claim: the data mover begins, and ends as it is told."""
        if self.is_late:
            namespace = it.namespace(machine)
            claim = self.objects["PersistentVolumeClaim", namespace, "db-root"]
            is_bound = self.then is DONE or self.binds_early
            if is_bound:
                self.keep(merged(claim, {"spec": {"volumeName": "pv-new"}, **BOUND}))
                self.keep(self.volume)
            self.tell(namespace, self.then)
            if not is_bound:
                return
        super().start(machine)

    def tell(self, restore: str, status: Item) -> None:
        found = self.objects["DataDownload", "velero", f"{restore}-x"]
        self.keep({**found, "status": status})

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        super().delete(resource, namespace, name, uid=uid, version=version)
        key = "DataDownload", "velero", f"{name}-x"
        if resource.kind == "Restore" and key in self.objects and self.cancels:
            self.drop(key)


BOUND = {"status": {"phase": "Bound"}}


def selected(restore: Item) -> Item:
    return {"velero.io/dynamic-pv-restore": f"{it.name(restore)}.db-root.abcde"}


def download(restore: Item, status: Item) -> Item:
    labels = {"velero.io/restore-name": it.name(restore)}
    volume = {"namespace": it.name(restore), "pvc": "db-root"}
    return {
        "kind": "DataDownload",
        "metadata": {"namespace": "velero", "name": f"{it.name(restore)}-x", "labels": labels},
        "spec": {"targetVolume": volume},
        "status": status,
    }


def tried(cluster: Played) -> Observed:
    return observed(cluster, moves_data=True)


def is_started(cluster: Played) -> bool:
    return any(one.startswith("patch virtualmachines") for one in cluster.requests)


def is_ended(cluster: Played, namespace: str) -> bool:
    machine = cluster.objects.get(("VirtualMachine", namespace, "db"))
    return machine is None or virtual_machine.run_strategy(machine) == "Halted"


def until(is_so: Callable[[], bool]) -> None:
    """Of what another thread does."""
    latest = time.monotonic() + 60
    while not is_so() and time.monotonic() < latest:
        time.sleep(0.01)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_machine_comes_back_when_its_bytes_have_come(is_late: bool) -> None:
    cluster = Moving(ACCEPTED if is_late else DONE, is_late=is_late)
    seen = tried(cluster)
    assert came_back(seen) == "application", seen
    assert not seen.left
    assert not cluster.left
    assert cluster.storage == KEPT


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "is New, its bytes are still to come; HINT: is a node agent of Velero ready?"),
        (ACCEPTED, "is Accepted, its bytes are still to come; HINT: oc describe pod -n velero"),
        (MOVING, "is InProgress (5 of 9 bytes), its bytes are still to come; HINT: a longer"),
    ],
)
def test_a_bound_claim_without_its_bytes_is_not_there(status: Item, said: str) -> None:
    cluster = Moving(status)
    cluster.never = {"DataDownload"}
    seen = tried(cluster)
    assert came_back(seen) == "not tried"
    assert seen.failure.startswith("DataDownload velero/stillpoint-verify-")
    assert f"-x of claim db-root {said}" in seen.failure
    assert not is_started(cluster)
    assert cluster.storage == KEPT


FAILURES = [
    ({"phase": "Failed", "message": "no snapshot", **BEGUN}, "not", "Failed: no snapshot"),
    ({"phase": "Failed", "message": "timeout"}, "not tried", "Failed: timeout"),
    ({"phase": "Canceled", **BEGUN}, "not tried", "Canceled"),
]


@pytest.mark.parametrize(("status", "expected", "said"), FAILURES)
@pytest.mark.parametrize("is_late", [False, True])
def test_bytes_that_did_not_come_are_told_at_once(
    status: Item, expected: str, said: str, is_late: bool
) -> None:
    """Before the start, or while the guest waits for them."""
    cluster = Moving(ACCEPTED if is_late else status, is_late=is_late)
    cluster.then, began = status, cluster.now
    seen = tried(cluster)
    assert came_back(seen) == expected, seen
    assert f"-x of claim db-root is {said}; HINT: read the log of Velero's node" in seen.failure
    assert (cluster.now - began).total_seconds() < 60
    assert is_started(cluster) is is_late
    assert not cluster.left


@pytest.mark.parametrize(("status", "expected"), [one[:2] for one in FAILURES])
def test_bytes_that_did_not_come_count_beside_others_that_may_still(
    status: Item, expected: str
) -> None:
    cluster = Moving(ACCEPTED, is_late=True)
    cluster.then, made = status, cluster.restored

    def restored(restore: Item) -> Iterator[Item]:
        yield from made(restore)
        claim = cluster.objects["PersistentVolumeClaim", it.name(restore), "db-root"]
        yield merged(claim, {"metadata": {"name": "db-data"}})
        name, target = {"name": f"{it.name(restore)}-y"}, {"targetVolume": {"pvc": "db-data"}}
        yield merged(download(restore, ACCEPTED), {"metadata": name, "spec": target})

    cluster.restored = restored
    assert came_back(tried(cluster)) == expected


def test_another_data_mover_than_velero_s_is_named() -> None:
    cluster = Moving(FAILURES[0][0])
    made = cluster.restored

    def restored(restore: Item) -> Iterator[Item]:
        for one in made(restore):
            is_download = one["kind"] == "DataDownload"
            yield merged(one, {"spec": {"datamover": "vsphere"}}) if is_download else one

    cluster.restored = restored
    assert tried(cluster).failure.endswith("Failed: no snapshot; HINT: look at data mover vsphere")


def test_a_guest_that_waits_for_bytes_until_the_end_says_nothing_of_the_backup() -> None:
    cluster = Moving(ACCEPTED, is_late=True)
    cluster.then = MOVING
    cluster.never = {"DataDownload", "VirtualMachineInstance"}
    seen = tried(cluster)
    assert came_back(seen) == "not tried", seen
    assert "claim db-root is Pending" in seen.failure
    assert "is InProgress (5 of 9 bytes)" in seen.failure


def test_a_guest_that_runs_before_its_bytes_have_come_has_not_come_back() -> None:
    cluster = Moving(ACCEPTED, is_late=True)
    cluster.then, cluster.binds_early = MOVING, True
    cluster.never = {"DataDownload"}
    seen = tried(cluster)
    assert came_back(seen) == "not tried", seen
    assert "is InProgress (5 of 9 bytes)" in seen.failure


def test_a_guest_is_looked_at_while_its_bytes_are_still_to_come() -> None:
    """It gets an interface meanwhile; later, the bytes do not come."""
    cluster = Moving(ACCEPTED, is_late=True)
    cluster.then, cluster.binds_early = MOVING, True

    def connect(number: int) -> None:
        if cluster.requests[number - 1].startswith("watch datadownloads"):
            cluster.on_request = lambda _number: None
            until(lambda: any(one.startswith("list pods") for one in [*cluster.requests]))
            [name] = [key[1] for key in cluster.objects if key[0] == "VirtualMachineInstance"]
            networks = [{"name": "lan", "multus": {"networkName": "lan"}}]
            instance = cluster.objects["VirtualMachineInstance", name, "db"]
            cluster.keep(merged(instance, {"spec": {"networks": networks}}))
            until(lambda: is_ended(cluster, name))
            with cluster.lock:  # it may be cleared away just now
                if cluster.objects.get(("DataDownload", "velero", f"{name}-x")):
                    cluster.tell(name, {"phase": "Failed", **BEGUN})

    cluster.on_request = connect
    seen = tried(cluster)
    assert "it was ended, for it would reach further: it is in the network lan" in seen.failure
    assert not cluster.left


def test_a_claim_that_nobody_fills_is_told() -> None:
    cluster = Moving(DONE)
    made = cluster.restored
    cluster.restored = lambda restore: (
        one for one in made(restore) if one["kind"] != "DataDownload"
    )
    seen = tried(cluster)
    assert came_back(seen) == "not tried"
    assert "nobody brings the bytes of these claims: db-root" in seen.failure


def take_source_off(cluster: Played, restore: Item) -> None:
    claim = cluster.objects["PersistentVolumeClaim", it.name(restore), "db-root"]
    cluster.keep(merged(claim, {"spec": {"dataSource": None}}))


def test_a_claim_without_a_source_would_be_an_empty_disk() -> None:
    cluster = Played()

    def restored(restore: Item) -> Iterator[Item]:
        for item in cluster.machine(restore):
            take_source_off(cluster, restore)
            yield item

    cluster.restored = restored
    seen = observed(cluster)
    assert came_back(seen) == "not"
    assert seen.failure == "the Restore brought no bytes for these claims: db-root"
    assert not is_started(cluster)


def test_a_volume_that_the_restore_brought_is_a_source() -> None:
    """As from a snapshot by a plugin of Velero for that storage."""
    cluster = Played()

    def restored(restore: Item) -> Iterator[Item]:
        for item in cluster.machine(restore):
            take_source_off(cluster, restore)
            labels = {"velero.io/restore-name": it.name(restore)}
            is_volume = item["kind"] == "PersistentVolume"
            yield merged(item, {"metadata": {"labels": labels}}) if is_volume else item

    cluster.restored = restored
    assert came_back(observed(cluster)) == "application"


def interrupted(cluster: Moving) -> Observed:
    """Interrupted as the DataDownload is looked at."""
    interruption = Interruption()

    def look(number: int) -> None:
        if cluster.requests[number - 1].startswith("watch datadownloads"):
            interruption.come()

    cluster.on_request = look
    return observed(cluster, interruption, moves_data=True)


def test_an_interrupted_run_waits_for_the_data_mover_before_it_takes_the_claim() -> None:
    cluster = Moving(MOVING)
    cluster.cancels = False
    gone: list[str] = []

    def watch(resource: Resource, *others: object) -> object:
        stream = watched(resource, *others)  # type: ignore[arg-type]
        if resource.kind == "DataDownload" and "delete restores" in " ".join(cluster.requests):
            gone.extend(cluster.requests)
            cluster.drop(("DataDownload", "velero", str(others[1])))
        return stream

    watched, cluster.watch = cluster.watch, watch  # type: ignore[assignment]
    seen = interrupted(cluster)
    assert gone
    assert not any(one.startswith("delete namespaces") for one in gone)
    assert not seen.left
    assert not cluster.left
    assert cluster.storage == KEPT


def test_a_data_mover_that_does_not_end_is_named_and_holds_up_nothing_for_long() -> None:
    cluster = Moving(MOVING)
    cluster.cancels = False
    began = cluster.now
    waits: list[float] = []
    watched = cluster.watch

    def watch(resource: Resource, namespace: str, name: str, longest_s: float) -> object:
        if resource.kind == "DataDownload" and "delete restores" in " ".join(cluster.requests):
            waits.append(longest_s)
            cluster.never = {"DataDownload"}
        return watched(resource, namespace, name, longest_s)

    cluster.watch = watch  # type: ignore[assignment]
    seen = interrupted(cluster)
    assert sum(waits) == BYTES_S
    assert (cluster.now - began).total_seconds() <= BYTES_S + 6, "and its namespace"
    [left] = seen.left
    assert "of claim db-root is InProgress (5 of 9 bytes)" in left
    assert [key[0] for key in cluster.left] == ["DataDownload"]


def test_a_data_mover_that_waits_for_the_claim_is_not_waited_for() -> None:
    """It ends when the claim goes, and not before."""
    cluster = Moving(ACCEPTED)
    cluster.cancels = False
    seen = interrupted(cluster)
    assert not seen.left
    assert [key[0] for key in cluster.left] == ["DataDownload"]


class Killed(SystemExit):
    """Ends the run where it is."""


def test_the_volume_of_a_data_mover_is_deleted_after_a_killed_run_too() -> None:
    """It is named after a claim of the data mover's own, and labelled for this one."""
    cluster = Moving(DONE)

    def kill(number: int) -> None:
        if cluster.requests[number - 1].startswith("delete restores"):
            raise Killed

    cluster.on_request = kill
    with pytest.raises(Killed):
        tried(cluster)
    cluster.on_request = lambda _number: None
    later = cluster.now.replace(hour=23)
    [one] = leftovers.find(cluster, lambda: later)
    leftovers.clear(cluster, [one], cluster.clock, lambda *_of: None)
    assert not cluster.left
    assert cluster.storage == KEPT


def test_the_label_of_another_namespace_proves_nothing() -> None:
    """Whoever forges a scratch namespace may select an older volume, and name none newer."""
    cluster = Moving(DONE)

    def forged(restore: Item) -> Iterator[Item]:
        for item in cluster.moved(restore):
            claim = cluster.objects["PersistentVolumeClaim", it.name(restore), "db-root"]
            other = {"velero.io/dynamic-pv-restore": "shop.db-root.abcde"}
            cluster.keep(merged(claim, {"spec": {"selector": {"matchLabels": other}}}))
            is_volume = item["kind"] == "PersistentVolume"
            yield merged(item, {"metadata": {"labels": other}}) if is_volume else item

    def kill(number: int) -> None:
        if cluster.requests[number - 1].startswith("delete restores"):
            raise Killed

    cluster.restored, cluster.on_request = forged, kill
    with pytest.raises(Killed):
        tried(cluster)
    cluster.on_request = lambda _number: None
    later = cluster.now.replace(hour=23)
    [one] = leftovers.find(cluster, lambda: later)
    leftovers.clear(cluster, [one], cluster.clock, lambda *_of: None)
    assert cluster.storage > KEPT
    assert ORIGINAL in cluster.storage


def test_what_a_data_mover_has_left_is_named_at_the_end() -> None:
    """Its claim has the name of the DataDownload."""
    cluster = Played()
    for name, claim in (("ours", "stillpoint-verify-a-x"), ("other", "stillpoint-verify-ab")):
        reference = {"namespace": "velero", "name": claim, "uid": "u"}
        cluster.keep(volume("handle", name, reference))
    for restore in ("stillpoint-verify-a", "nightly"):
        cluster.keep(download({"metadata": {"name": restore}}, MOVING))
    left = Sweep(cluster, cluster.clock, ["stillpoint-verify-a"], "velero").run()
    assert [one.split(" is ")[0] for one in left] == [
        "volume ours of claim velero/stillpoint-verify-a-x",
        "DataDownload velero/stillpoint-verify-a-x",
    ]
    assert not Sweep(cluster, cluster.clock, ["stillpoint-verify-a"]).run()
