"""Namespaces that killed runs have left, and those that only look like it."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from stillpoint.model import item as it
from stillpoint.model.errors import Denied, Unreachable
from stillpoint.model.item import Item
from stillpoint.verification import leftovers, scratch
from stillpoint.verification.clearing import GUEST_S, NAMESPACE_S, Clearing
from tests.unit.dictionary_reader import merged
from tests.unit.verification.played import BEGAN, SNAPSHOT, Played

CREATED = BEGAN - timedelta(hours=1)


def namespace(name: str = "stillpoint-verify-0123456789", **fields: Any) -> Item:
    annotations = {scratch.LONGEST: "3599s", scratch.BACKUP: "velero/nightly"}
    metadata = {
        "name": name,
        "creationTimestamp": CREATED.isoformat(),
        "labels": {scratch.LABEL: "run-0"},
        "annotations": annotations | {scratch.MACHINE: "shop/db"},
    }
    return {"kind": "Namespace", "metadata": metadata | fields}


def found(item: Item) -> list[leftovers.Leftover]:
    cluster = Played()
    cluster.keep(item)
    return list(leftovers.find(cluster, lambda: BEGAN))


def test_a_namespace_of_a_killed_run() -> None:
    [one] = found(namespace())
    assert (one.machine, one.scratch.run, one.scratch.velero) == ("shop/db", "run-0", "velero")
    assert not one.is_going


def test_a_namespace_of_a_killed_run_that_is_being_deleted() -> None:
    """It may never go: its run may have been killed before the machine was told to."""
    [one] = found(namespace(deletionTimestamp="2026-11-27T05:00:00Z"))
    assert one.is_going


@pytest.mark.parametrize(
    "item",
    [
        namespace("shop"),
        namespace(labels={}),
        namespace(labels={scratch.LABEL: ""}),
        namespace(annotations={}),
        namespace(annotations={scratch.LONGEST: "3600s"}),
        namespace(annotations={scratch.LONGEST: "-1s"}),
        namespace(annotations={scratch.LONGEST: "yesterday"}),
        namespace(annotations={scratch.LONGEST: "9" * 30 + "s"}),
        namespace(annotations={scratch.LONGEST: "999999999s"}),
        namespace(creationTimestamp=BEGAN.isoformat()),
    ],
)
def test_what_only_looks_like_one(item: Item) -> None:
    assert found(item) == []


@pytest.mark.parametrize(("minutes", "is_left"), [(45, False), (46, True)])
def test_what_a_run_makes_has_all_of_its_time_from_its_creation(
    minutes: int, is_left: bool
) -> None:
    cluster = Played()
    purpose = scratch.Purpose("shop/db", "velero/nightly", timedelta(minutes=45), {})
    scratch.create(cluster, scratch.Scratch.new("run-0", "velero"), purpose)
    moment = BEGAN + timedelta(minutes=minutes)
    assert bool(leftovers.find(cluster, lambda: moment)) is is_left


def test_where_there_is_none_nobody_asks_for_the_time() -> None:
    def time() -> datetime:
        pytest.fail("it was asked")

    assert leftovers.find(Played(), time) == []


def killed(name: str = "stillpoint-verify-0123456789", **fields: Any) -> Played:
    """A cluster in which the guest of a killed run still runs."""
    cluster = Played()
    leave(cluster, name, **fields)
    cluster.requests.clear()
    return cluster


def leave(cluster: Played, name: str, **fields: Any) -> None:
    cluster.keep(namespace(name, **fields))
    labels = {"app.kubernetes.io/instance": "run-0"}
    metadata = {"name": name, "namespace": "velero", "labels": labels}
    spec = {"namespaceMapping": {"shop": name}}
    restore = cluster.keep({"kind": "Restore", "metadata": metadata, "spec": spec})
    for one in cluster.machine(restore):
        cluster.keep(one if one["kind"] != "PersistentVolume" else provisioned(cluster, one))
    cluster.keep({**restore, "status": {"phase": "Completed"}})
    running = {"spec": {"runStrategy": "Once"}, "status": {"created": True}}
    cluster.keep(merged(cluster.objects["VirtualMachine", name, "db"], running))


def provisioned(cluster: Played, volume: Item) -> Item:
    """The volume, named after its claim."""
    claim = volume["spec"]["claimRef"]
    name = f"pvc-{claim['uid']}"
    key = "PersistentVolumeClaim", claim["namespace"], claim["name"]
    cluster.keep(merged(cluster.objects[key], {"spec": {"volumeName": name}}))
    return {**volume, "metadata": {"name": name}}


def cleared(cluster: Played) -> Sequence[Clearing]:
    found = leftovers.find(cluster, lambda: BEGAN)
    return leftovers.clear(cluster, found, cluster.clock, lambda _done, _whole, _name: None)


def machine_of(cluster: Played) -> Item:
    [machine] = [one for key, one in cluster.objects.items() if key[0] == "VirtualMachine"]
    return machine


def kubevirt_ends_guests(cluster: Played) -> None:
    """A guest ends as soon as its machine is told to."""

    def end(number: int) -> None:
        if cluster.requests[number - 1].startswith("watch virtualmachines "):
            cluster.keep(merged(machine_of(cluster), {"status": {"created": False}}))

    cluster.on_request = end


def test_the_guest_of_a_killed_run_is_ended_where_its_namespace_has_to_stay() -> None:
    """Nobody would see that a copy of the database runs on."""
    cluster = killed()
    [key] = [one for one in cluster.objects if one[0] == "VolumeSnapshotContent"]
    cluster.keep(merged(cluster.objects[key], {"spec": {"deletionPolicy": "Delete"}}))
    kubevirt_ends_guests(cluster)
    [clearing] = cleared(cluster)
    [left] = clearing.left
    assert "would take a snapshot of the backup with it" in left
    assert clearing.notes == ["its guest was ended"]
    assert machine_of(cluster)["spec"]["runStrategy"] == "Halted"
    assert SNAPSHOT in cluster.storage


def test_a_guest_is_ended_whose_machine_cannot_be_deleted() -> None:
    """The namespace waits for the machine for ever, and the machine for nobody."""
    cluster = killed(deletionTimestamp="2026-11-27T05:00:00Z")
    cluster.faults = {"delete virtualmachines": Denied("it", "cannot do it", "HTTP 403: a policy")}
    cluster.kept = {"VirtualMachine"}
    kubevirt_ends_guests(cluster)
    [clearing] = cleared(cluster)
    [left] = clearing.left
    assert "is being deleted: finalizers remaining" in left
    assert "its guest was ended" in clearing.notes
    assert machine_of(cluster)["spec"]["runStrategy"] == "Halted"


def not_deletable(cluster: Played) -> None:
    error = Unreachable("it", "cannot do it", "HTTP 500: etcd")
    cluster.faults = {"delete namespaces": error}


def of_another(cluster: Played) -> None:
    """Somebody has created the machine in the namespace, or says so."""
    cluster.keep(
        merged(machine_of(cluster), {"metadata": {"labels": {"velero.io/restore-name": "x"}}})
    )


def taken_over(cluster: Played) -> None:
    """The namespace is of another run when it is looked at again."""

    def take(number: int) -> None:
        if cluster.requests[number - 1].startswith("delete restores"):
            labels = {"labels": {scratch.LABEL: "run-9"}}
            cluster.keep(
                merged(
                    cluster.objects["Namespace", "", "stillpoint-verify-0123456789"],
                    {"metadata": labels},
                )
            )

    cluster.on_request = take


@pytest.mark.parametrize("change", [of_another, taken_over])
def test_a_machine_that_is_not_proven_to_be_of_the_run_is_named_and_runs_on(
    change: Callable[[Played], None],
) -> None:
    cluster = killed()
    cluster.never = {"VirtualMachine"}
    not_deletable(cluster)
    change(cluster)
    [clearing] = cleared(cluster)
    [_namespace, guest] = clearing.left
    assert guest == (
        "the guest of virtual machine stillpoint-verify-0123456789/db may run on: nothing proves "
        "that this verification has made it; HINT: virtctl stop db -n stillpoint-verify-0123456789"
    )
    assert machine_of(cluster)["spec"]["runStrategy"] == "Once"
    assert clearing.notes == []


def test_a_guest_that_cannot_be_ended_is_named() -> None:
    cluster = killed()
    not_deletable(cluster)
    cluster.faults["patch virtualmachines"] = Denied("it", "cannot do it", "HTTP 403: a policy")
    [clearing] = cleared(cluster)
    assert "db may run on: it: cannot do it: HTTP 403: a policy; HINT: " in clearing.left[1]


def test_guests_that_cannot_be_looked_for_are_told() -> None:
    cluster = killed()
    not_deletable(cluster)
    cluster.faults["list virtualmachines"] = Unreachable("it", "cannot do it", "HTTP 500: etcd")
    [clearing] = cleared(cluster)
    assert clearing.left[1].startswith(
        "whether a guest runs on in namespace stillpoint-verify-0123456789 is not known: it: "
    )


def test_of_a_machine_that_never_ran_nothing_is_said() -> None:
    cluster = killed()
    not_deletable(cluster)
    halted = {"spec": {"runStrategy": "Halted"}, "status": {"created": False}}
    cluster.keep(merged(machine_of(cluster), halted))
    [clearing] = cleared(cluster)
    assert len(clearing.left) == 1
    assert clearing.notes == []
    assert not any(one.startswith("patch virtualmachines") for one in cluster.requests)


def names(number: int) -> list[str]:
    return [f"stillpoint-verify-{one:010}" for one in range(number)]


def forged(cluster: Played, number: int) -> None:
    """Namespaces that somebody has labelled, each with something that never goes."""
    for name in names(number):
        cluster.keep(namespace(name))
        cluster.keep({"kind": "ConfigMap", "metadata": {"namespace": name, "name": "stuck"}})
    cluster.kept = {"ConfigMap"}


def asked_to_go(cluster: Played) -> set[str]:
    return {one.split()[2] for one in [*cluster.requests] if one.startswith("delete namespaces")}


def test_namespaces_are_cleared_side_by_side() -> None:
    cluster = Played()
    forged(cluster, 8)
    all_asked = threading.Event()
    waited: list[bool] = []

    def wait(number: int) -> None:
        if asked_to_go(cluster) == set(names(8)):
            all_asked.set()
        if cluster.requests[number - 1].startswith("watch namespaces"):
            waited.append(all_asked.wait(60))

    cluster.on_request = wait
    clearings = cleared(cluster)
    assert waited
    assert all(waited)
    assert [one.scratch.name for one in clearings] == names(8)
    assert all("is being deleted: " in str(one.left) for one in clearings)


def test_any_number_of_forged_namespaces_holds_up_no_longer_than_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here one after the other: each is asked to go and named, and what is ours is gone."""
    monkeypatch.setattr(leftovers, "_AT_ONCE", 1)
    cluster = Played()
    forged(cluster, 9)
    ours = "stillpoint-verify-ours"
    leave(cluster, ours)
    clearings = cleared(cluster)
    assert asked_to_go(cluster) == {*names(9), ours}
    assert [bool(one.left) for one in clearings[:9]] == [True] * 9
    passed_s = (cluster.now - BEGAN).total_seconds()
    assert NAMESPACE_S < passed_s <= leftovers.LONGEST_S + GUEST_S, passed_s
    assert it.is_being_deleted(machine_of(cluster))


def test_what_was_being_deleted_already_is_not_waited_for_as_long() -> None:
    cluster = Played()
    forged(cluster, 1)
    [name] = names(1)
    going = {"metadata": {"deletionTimestamp": "2026-11-27T05:00:00Z"}}
    cluster.keep(merged(cluster.objects["Namespace", "", name], going))
    [clearing] = cleared(cluster)
    assert "is being deleted: finalizers remaining" in clearing.left[0]
    assert (cluster.now - BEGAN).total_seconds() <= leftovers.LONGEST_OF_GOING_S + GUEST_S
