"""Many machines, some at a time."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.report.model import Machine
from stillpoint.verification.attempt import Setting
from stillpoint.verification.interruption import Interruption
from stillpoint.verification.model import Result
from stillpoint.verification.run import Verifying
from tests.unit.verification import machines
from tests.unit.verification.played import Key, Played, stored


def verifying(cluster: Played, interruption: Interruption | None = None) -> Verifying:
    setting = Setting(
        cluster=cluster,
        clock=cluster.clock,
        interruption=interruption or Interruption(),
        run="run-1",
        velero="velero",
        backup="nightly",
        keeps_pod_network=False,
        timeout_s=600,
        originals=frozenset(),
        results=lambda _name: (),
        moves_data=False,
        labels=lambda _namespace: {},
    )
    return Verifying(setting, lambda machine: named(machine.name), lambda *_: None)


def named(name: str) -> Item:
    one = stored()
    return {**one, "metadata": {**one["metadata"], "name": name}}


def several(count: int) -> Sequence[Machine]:
    return [replace(machines.machine(), name=f"vm-{number}") for number in range(count)]


def without_disks(restore: Item) -> Iterator[Item]:
    """What Velero creates of a machine that has no disk."""
    [(_namespace, scratch)] = restore["spec"]["namespaceMapping"].items()
    name = restore["metadata"]["annotations"]["stillpoint.dev/only"].partition("/")[2]
    labels = {"velero.io/restore-name": restore["metadata"]["name"]}
    metadata = {"namespace": scratch, "name": name, "labels": labels}
    specification: Item = {"domain": {"devices": {}}}
    yield {
        "kind": "VirtualMachine",
        "metadata": metadata,
        "spec": {"runStrategy": "Halted", "template": {"spec": specification}},
    }


def test_no_more_than_so_many_at_a_time() -> None:
    cluster = Played()
    cluster.restored = without_disks
    most = 0

    def count(_number: int) -> None:
        nonlocal most
        with cluster.lock:  # other machines come and go meanwhile
            scratches = [key for key in cluster.objects if key[0] == "Namespace"]
            busy = [one for one in scratches if not it.is_being_deleted(cluster.objects[one])]
            most = max(most, len([key for key in busy if key not in cluster.before]))

    cluster.on_request = count
    run = verifying(cluster)
    results = run.run(several(7), at_once=3)
    assert [one.name for one in results] == [f"vm-{number}" for number in range(7)]
    assert {str(one.came_back) for one in results} == {"guest"}, results
    assert 1 < most <= 3
    assert run.sweep() == []
    assert not cluster.left


def test_the_next_machine_begins_while_the_namespace_of_the_last_one_goes() -> None:
    cluster = Played()
    cluster.restored = without_disks
    begins = threading.Event()
    has_begun: list[bool] = []

    def see(_number: int) -> None:
        if sum(one.startswith("create namespaces") for one in [*cluster.requests]) == 2:
            begins.set()

    def wait(key: Key) -> None:
        if key[0] == "Namespace" and not has_begun:
            has_begun.append(begins.wait(60))

    cluster.on_request, cluster.on_wait = see, wait
    results = verifying(cluster).run(several(2), at_once=1)
    assert set(has_begun) == {True}  # the second may get there before the first goes on
    assert {str(one.came_back) for one in results} == {"guest"}
    assert not cluster.left


def one_by_one() -> Played:
    """A cluster in which a machine keeps its place until its namespace has gone."""
    cluster = Played()
    cluster.faults = {"delete virtualmachines": Forbidden("it", "cannot do it", "HTTP 403")}
    return cluster


def test_no_machine_begins_before_it_is_known_that_the_last_one_has_gone() -> None:
    cluster = one_by_one()
    cluster.restored = without_disks
    run = verifying(cluster)
    seen: list[int] = []
    cluster.on_request = lambda _number: seen.append(len(run.under_way))
    results = run.run(several(3), at_once=1)
    assert max(seen) == 1
    assert {one.observed.notes for one in results} == {
        ("its namespace goes later than it could: it: cannot do it: HTTP 403",)
    }
    assert not cluster.left


def test_after_an_interruption_no_machine_begins() -> None:
    cluster, interruption = Played(), Interruption()
    cluster.restored = without_disks
    cluster.on_request = lambda number: interruption.come() if number == 5 else None
    results = verifying(cluster, interruption).run(several(4), at_once=1)
    assert [(str(one.came_back), one.observed.failure) for one in results] == [
        ("not tried", "interrupted")
    ] * 4
    assert sum(request.startswith("create namespaces") for request in cluster.requests) == 1
    assert not cluster.left


def test_a_run_that_is_left_alone_has_the_verdicts_so_far() -> None:
    """Its other threads may go on meanwhile."""
    cluster, all_machines = one_by_one(), several(3)
    cluster.restored = without_disks
    run = verifying(cluster)
    seen: list[list[str]] = []

    def look(number: int) -> None:
        if cluster.requests[number - 1].startswith("create namespaces"):
            seen.append([str(one.came_back) for one in run.so_far(all_machines)])

    cluster.on_request = look
    results = run.run(all_machines, at_once=1)
    assert seen == [["guest"] * count + ["not tried"] * (3 - count) for count in range(3)]
    assert run.so_far(all_machines) == results


def test_machines_that_are_under_way() -> None:
    cluster = one_by_one()
    cluster.restored = without_disks
    run = verifying(cluster)
    seen: list[Sequence[str]] = []
    cluster.on_request = lambda _number: seen.append(run.under_way)
    run.run(several(2), at_once=1)
    assert {len(names) for names in seen} == {1}
    assert {f"create namespaces {name}" for [name] in seen} <= set(cluster.requests)
    assert run.under_way == []


def test_a_terminal_that_is_gone_keeps_nothing_from_being_cleared() -> None:
    cluster = Played()
    cluster.restored = without_disks

    def gone(*_: object) -> None:
        raise OSError(5, "Input/output error")

    run = verifying(cluster)
    run.report = gone
    [result] = run.run(several(1), at_once=1)
    assert str(result.came_back) == "guest"
    assert not cluster.left


def test_a_fault_with_one_machine_is_told_and_costs_no_other() -> None:
    cluster = Played()
    cluster.restored = without_disks
    machines_ = several(2)
    run = verifying(cluster)

    def faulty(machine: Machine) -> Item:
        if machine.name == "vm-0":
            raise ValueError("nobody foresaw it")
        return named(machine.name)

    run.stored = faulty
    first, second = run.run(machines_, at_once=1)
    assert failure(first).startswith("a fault of the command: ")
    assert str(second.came_back) == "guest"
    assert not cluster.left


def failure(result: Result) -> str:
    return result.observed.failure


def test_what_the_storage_has_is_looked_at_also_where_the_clearing_failed() -> None:
    cluster = Played()
    run = verifying(cluster)

    def fail(number: int) -> None:
        if cluster.requests[number - 1].startswith("delete restores"):
            raise ValueError("nobody foresaw it")

    cluster.on_request = fail
    [result] = run.run([machines.machine()], at_once=1)
    [left] = result.observed.left
    assert "a fault of the command: ValueError" in left
    assert "volume pv-new of claim stillpoint-verify-" in " ".join(run.sweep())


def test_what_the_storage_has_not_freed_is_told() -> None:
    cluster = Played()
    run = verifying(cluster)
    cluster.reclaim = "Retain"
    patch = cluster.patch

    def forgetful(*arguments: object) -> None:
        """Velero puts the policy of the original back."""
        if arguments[2] != "pv-new":
            patch(*arguments)  # type: ignore[arg-type]

    cluster.patch = forgetful  # type: ignore[method-assign, assignment]
    [result] = run.run([machines.machine()], at_once=1)
    assert not result.observed.left
    [told] = run.sweep()
    assert "volume pv-new of claim stillpoint-verify-" in told
