"""A restored machine from its creation to the state that the restore waits for.

Each `tick` is what Velero does every ten seconds: a new process, which knows the operation's id,
the Restore as it is now, and the cluster.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from stillpoint.actions.restore import virtual_machine as action
from stillpoint.model.errors import MalformedRequest, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.outcome import Progress, RestoreOutcome
from stillpoint.resources.machines import virtual_machine
from tests.unit.contexts import NOW, Hands, restore_context
from tests.unit.dictionary_reader import DictionaryReader, merged

UID = "5a1e"
START_AS = "stillpoint.dev/start-as"
NOT_STARTED = "stillpoint.dev/not-started"


def restore(**conditions: str) -> Item:
    annotations = {f"stillpoint.dev/{key.replace('_', '-')}": conditions[key] for key in conditions}
    return {
        "kind": "Restore",
        "metadata": {"name": "back", "uid": UID, "annotations": annotations},
        "spec": {"namespaceMapping": {"shop": "copy"}, "itemOperationTimeout": "1h0m0s"},
    }


def machine(name: str = "db", strategy: str = "Always", disks: Sequence[str] = ("root",)) -> Item:
    volumes = [{"name": disk, "dataVolume": {"name": f"{name}-{disk}"}} for disk in disks]
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"runStrategy": strategy, "template": {"spec": {"volumes": volumes}}},
    }


def claim(name: str, phase: str = "Bound", **spec: Any) -> Item:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "copy"},
        "spec": spec,
        "status": {"phase": phase},
    }


def instance(name: str = "db", phase: str = "Running", *conditions: str) -> Item:
    told = [{"type": each, "status": "True"} for each in conditions]
    return {
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "namespace": "copy"},
        "status": {"phase": phase, "conditions": told},
    }


class World:
    """A restore under way: Velero, the plugin's processes one after the other, and the cluster.

    Attributes:
        stored: what the backup holds beside the machine; None if it cannot be looked into.
    """

    stored: Sequence[Item] | None = None

    def __init__(self, asked: Item, *objects: Item) -> None:
        self.asked = asked
        self.cluster = DictionaryReader(objects)
        self.hands = Hands()
        self.operations: dict[str, str] = {}

    def create(self, stored: Item, version: str = "1") -> Item:
        """Velero restores a machine: it asks the action, and creates what that answers."""
        outcome = self.execute(stored)
        name = outcome.item["metadata"]["name"]
        self.operations[name] = outcome.operation
        if not self.there(name):
            metadata = {"namespace": "copy", "resourceVersion": version}
            self.cluster.objects.append(merged(outcome.item, {"metadata": metadata}))
        return self.machine(name)

    def execute(self, item: Item) -> RestoreOutcome:
        context = restore_context(self.asked, item, self.cluster, self.hands, self.stored)
        return action.execute(item, context)

    def there(self, name: str) -> list[Item]:
        return [
            each
            for each in self.cluster.objects
            if (each["kind"], each["metadata"]["name"]) == ("VirtualMachine", name)
        ]

    def machine(self, name: str = "db") -> Item:
        [found] = self.there(name)
        return found

    def set(self, changed: Item) -> None:
        """Replace an object of that kind and name, or add it."""
        kept = [
            each
            for each in self.cluster.objects
            if (each["kind"], each["metadata"]["name"])
            != (changed["kind"], changed["metadata"]["name"])
        ]
        self.cluster.objects = [*kept, changed]

    def tell(self, name: str = "db", **status: Any) -> None:
        """What KubeVirt says of a machine."""
        self.set(merged(self.machine(name), {"status": status}))

    def tick(self, name: str = "db", after: float = 10) -> Progress:
        self.hands.sleep(after)
        return self.progress(name)

    def tick_all(self, after: float = 10) -> dict[str, Progress]:
        """One process is asked about all operations."""
        self.hands.sleep(after)
        context = self.context()
        return {
            name: action.progress(operation, context) for name, operation in self.operations.items()
        }

    def progress(self, name: str) -> Progress:
        return action.progress(self.operations[name], self.context())

    def context(self) -> Any:
        return restore_context(self.asked, {}, self.cluster, self.hands)

    def started(self) -> list[str]:
        return sorted(
            each["metadata"]["name"]
            for each in self.cluster.objects
            if each["kind"] == "VirtualMachine" and each["spec"]["runStrategy"] != "Halted"
        )


# without waiting


def test_a_restore_that_does_not_wait_creates_machines_as_they_were() -> None:
    world = World(restore())
    created = world.create(machine())
    assert created["spec"]["runStrategy"] == "Always"
    assert "annotations" not in created["metadata"]
    assert world.operations == {"db": ""}
    assert world.cluster.questions == ["list virtualmachines.kubevirt.io copy"]


# waiting for disks


def test_a_machine_waits_halted_until_its_disks_are_bound_and_is_then_started_as_it_was() -> None:
    world = World(restore(wait="disks"), claim("db-root"), claim("db-data", "Pending"))
    created = world.create(machine(strategy="RerunOnFailure", disks=("root", "data", "logs")))
    assert created["spec"]["runStrategy"] == "Halted"
    assert created["metadata"]["annotations"] == {START_AS: "RerunOnFailure"}
    assert created["metadata"]["labels"] == {"stillpoint.dev/restore": UID}

    progress = world.tick()
    assert progress.description == "copy/db: 1 of 3 disks bound; db-data is Pending"
    assert (progress.done, progress.total, progress.units) == (1, 3, "disks")
    assert not progress.completed

    world.set(claim("db-data"))
    assert world.tick().description == "copy/db: 2 of 3 disks bound; db-logs does not exist"
    assert world.started() == []

    world.set(claim("db-logs"))
    progress = world.tick()
    assert progress.completed
    assert not progress.error
    assert progress.description == "copy/db: 3 of 3 disks bound; started as RerunOnFailure"
    started = world.machine()
    assert started["spec"]["runStrategy"] == "RerunOnFailure"
    assert START_AS not in started["metadata"]["annotations"]
    assert started["metadata"]["annotations"]["stillpoint.dev/started"].startswith(
        "2026-05-04T12:0"
    )


def test_a_start_that_somebody_else_has_come_before_is_asked_for_with_the_version_it_saw() -> None:
    world = World(restore(wait="disks"), claim("db-root"))
    world.create(machine(), version="4711")
    world.tick()
    [change] = world.cluster.patches["copy/db"]
    assert change["metadata"]["resourceVersion"] == "4711"


def test_the_older_field_for_running_is_read_and_replaced() -> None:
    world = World(restore(wait="disks"), claim("db-root"))
    stored = machine()
    stored["spec"] = {"running": True, "template": stored["spec"]["template"]}
    created = world.create(stored)
    assert (created["spec"]["runStrategy"], "running" in created["spec"]) == ("Halted", False)
    world.tick()
    assert world.machine()["spec"]["runStrategy"] == "Always"


@pytest.mark.parametrize("strategy", ["Halted", "Manual", "WaitAsReceiver"])
def test_a_machine_that_did_not_run_is_waited_for_and_not_started(strategy: str) -> None:
    world = World(restore(wait="agent"), claim("db-root", "Pending"))
    created = world.create(machine(strategy=strategy))
    assert created["spec"]["runStrategy"] == strategy
    assert not world.tick().completed
    world.set(claim("db-root"))
    progress = world.tick()
    assert progress.completed
    assert progress.description.endswith(f"not to be started, its run strategy is {strategy}")
    assert world.cluster.patches == {}


def test_the_run_strategy_that_the_restore_asks_for_is_the_one_it_is_started_with() -> None:
    world = World(restore(wait="disks", run_strategy="Once"), claim("db-root"))
    world.create(machine(strategy="Halted"))
    world.tick()
    assert world.machine()["spec"]["runStrategy"] == "Once"


def test_a_disk_that_cdi_still_fills_is_not_there_yet() -> None:
    filling = {
        "kind": "DataVolume",
        "metadata": {"name": "db-root", "namespace": "copy"},
        "status": {"phase": "ImportInProgress", "progress": "45.0%"},
    }
    world = World(restore(wait="disks"), claim("db-root"), filling)
    world.create(machine())
    told = "0 of 1 disks bound; db-root is still being filled (ImportInProgress, 45.0%)"
    assert world.tick().description == f"copy/db: {told}"
    world.set(merged(filling, {"status": {"phase": "Succeeded"}}))
    assert world.tick().completed


def test_a_claim_that_is_being_deleted_is_no_disk_although_it_is_bound() -> None:
    leaving = merged(claim("db-root"), {"metadata": {"deletionTimestamp": "2026-05-04T11:59:00Z"}})
    world = World(restore(wait="disks"), leaving)
    world.create(machine())
    assert world.tick().description == "copy/db: 0 of 1 disks bound; db-root is being deleted"
    assert world.started() == []


def test_state_of_vtpm_and_efi_is_a_disk_too() -> None:
    state = merged(
        claim("persistent-state-for-db-x7k2p", "Pending"),
        {"metadata": {"labels": {"persistent-state-for": "db"}}},
    )
    world = World(restore(wait="disks"), claim("db-root"), state)
    world.create(machine())
    assert "1 of 2 disks bound; persistent-state-for-db-x7k2p is" in world.tick().description


def test_a_claim_that_is_bound_at_its_first_use_does_not_keep_its_machine_from_starting() -> None:
    late = {
        "kind": "StorageClass",
        "metadata": {"name": "local"},
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    world = World(
        restore(wait="disks"), late, claim("db-root", "Pending", storageClassName="local")
    )
    world.create(machine())
    progress = world.tick()
    assert world.started() == ["db"]
    assert not progress.completed
    assert progress.description == (
        "copy/db: 0 of 1 disks bound; db-root is Pending; started as Always"
    )
    assert not world.tick().completed
    world.set(claim("db-root", storageClassName="local"))
    assert world.tick().completed


# waiting for more


def test_running_is_waited_for_with_what_kubevirt_says_of_the_machine() -> None:
    world = World(restore(wait="running"), claim("db-root"))
    world.create(machine())
    assert not world.tick().completed
    blocked = {"type": "Ready", "status": "False", "message": "no node has 64Gi"}
    world.tell(printableStatus="ErrorUnschedulable", conditions=[blocked])
    told = "started, does not run yet: ErrorUnschedulable; no node has 64Gi"
    assert world.tick().description == f"copy/db: 1 of 1 disks bound; {told}"
    world.set(instance())
    progress = world.tick()
    assert progress.completed
    assert progress.description == "copy/db: 1 of 1 disks bound; runs"


def test_the_agent_is_waited_for_after_running() -> None:
    world = World(restore(wait="agent"), claim("db-root"), instance())
    world.create(machine())
    world.tick()
    assert world.tick().description.endswith("runs, waits for its guest agent")
    world.set(instance("db", "Running", "AgentConnected"))
    progress = world.tick()
    assert (progress.completed, progress.error) == (True, "")


@pytest.mark.parametrize(
    ("strategy", "wait", "phase", "is_over", "is_failed"),
    [
        ("Once", "running", "Succeeded", True, False),
        ("Once", "agent", "Succeeded", True, True),
        ("Once", "running", "Failed", True, True),
        ("RerunOnFailure", "running", "Failed", False, False),
        ("Always", "running", "Failed", False, False),
        ("Always", "agent", "Succeeded", False, False),
    ],
)
def test_a_guest_that_has_ended_is_waited_for_if_kubevirt_starts_it_again(
    strategy: str, wait: str, phase: str, is_over: bool, is_failed: bool
) -> None:
    world = World(restore(wait=wait), claim("db-root"), instance("db", phase))
    world.create(machine(strategy=strategy))
    world.tick()
    progress = world.tick()
    assert (progress.completed, bool(progress.error)) == (is_over, is_failed)


# one machine is waited for in another way


def test_exceptions_name_machines_as_the_backup_does() -> None:
    world = World(restore(wait="running, db=none"))
    assert world.create(machine())["spec"]["runStrategy"] == "Always"
    assert world.create(machine("web"))["spec"]["runStrategy"] == "Halted"
    assert world.operations["db"] == ""
    assert world.operations["web"].startswith("running;shop/web;copy/web;2026-05-04T12:00:00")


# failing and giving up


def test_a_machine_that_is_not_there_fails_at_once() -> None:
    world = World(restore(wait="disks"))
    world.create(machine())
    world.cluster.objects.clear()
    progress = world.tick()
    assert progress.completed
    assert progress.error.startswith("copy/db: not there: it could not be created, or was deleted")


def test_at_the_time_out_it_fails_with_the_reason_and_the_machine_tells_it_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(restore(wait="disks", wait_timeout="90s"), claim("db-root", "Pending"))
    world.create(machine())
    assert not world.tick(after=80).completed
    progress = world.tick(after=10)
    assert progress.completed
    assert progress.error.startswith(
        "copy/db: 0 of 1 disks bound; db-root is Pending; gave up after 90 s; it stays halted, "
        f"Always is noted in its annotation {START_AS}; HINT: "
    )
    left = world.machine()
    assert left["spec"]["runStrategy"] == "Halted"
    assert left["metadata"]["annotations"][START_AS] == "Always"
    assert "db-root is Pending" in left["metadata"]["annotations"][NOT_STARTED]
    assert "does not start it" in caplog.text


def test_velero_s_own_time_out_is_not_waited_for_because_it_gives_no_reason() -> None:
    world = World(restore(wait="disks", wait_timeout="2h"), claim("db-root", "Pending"))
    world.create(machine())
    assert not world.tick(after=3599).completed
    assert "db-root is Pending; gave up" in world.tick(after=1).error


def test_a_machine_that_runs_at_the_time_out_is_left_alone() -> None:
    world = World(restore(wait="agent", wait_timeout="90s"), claim("db-root"), instance())
    world.create(machine())
    world.tick()
    before = dict(world.cluster.patches)
    error = world.tick(after=80).error
    assert (
        error == "copy/db: 1 of 1 disks bound; runs, waits for its guest agent; gave up after 90 s"
    )
    assert world.cluster.patches == before
    assert world.started() == ["db"]


def test_an_api_server_that_does_not_answer_ends_nothing_before_the_time_out() -> None:
    world = World(restore(wait="disks", wait_timeout="90s"), claim("db-root"))
    world.create(machine())
    world.cluster.failure = Unreachable("virtualmachines", "cannot list", "HTTP 503")
    progress = world.tick()
    assert (progress.completed, progress.error) == (False, "")
    assert (
        progress.description == "copy/db: cannot tell yet: virtualmachines: cannot list: HTTP 503"
    )
    assert world.tick(after=80).error == "copy/db: virtualmachines: cannot list: HTTP 503"
    world.cluster.failure = None
    assert world.tick(after=0).completed


def test_a_restore_edited_into_nonsense_goes_on_when_it_is_put_right() -> None:
    world = World(restore(wait="disks"), claim("db-root"))
    world.create(machine())
    world.asked = restore(wait="diks")
    progress = world.tick()
    assert not progress.completed
    assert "diks" in progress.description
    world.asked = restore(wait="disks")
    assert world.tick().completed


def test_cancelling_leaves_the_machine_halted_with_its_note_and_is_idempotent() -> None:
    world = World(restore(wait="disks"), claim("db-root", "Pending"))
    world.create(machine())
    for _ in range(2):
        action.cancel(world.operations["db"], world.context())
    assert world.machine()["spec"]["runStrategy"] == "Halted"
    assert world.machine()["metadata"]["annotations"] == {
        START_AS: "Always",
        NOT_STARTED: "the restore's waiting was cancelled",
    }
    assert len(world.cluster.patches["copy/db"]) == 1
    world.set(claim("db-root"))
    assert world.tick().error
    assert world.started() == []


def test_cancelling_after_the_start_changes_nothing() -> None:
    world = World(restore(wait="running"), claim("db-root"))
    world.create(machine())
    world.tick()
    started = world.machine()
    action.cancel(world.operations["db"], world.context())
    assert world.machine() == started


def test_a_person_cancels_by_setting_the_restore_s_annotation_to_none() -> None:
    world = World(restore(wait="running"), claim("db-root", "Pending"))
    world.create(machine())
    world.asked = restore(wait="none")
    progress = world.tick()
    assert progress.completed
    assert "the waiting was cancelled by stillpoint.dev/wait: none" in progress.error
    assert world.started() == []


@pytest.mark.parametrize(
    "operation",
    ["", "dd-1234.5678", "running;db;copy/db;2026-05-04T12:00:00+00:00", "a;b/c;d/e;noon", "a;b/c"],
)
def test_an_operation_of_somebody_else_is_refused(operation: str) -> None:
    with pytest.raises(MalformedRequest, match="none of stillpoint's"):
        action.progress(operation, World(restore()).context())


# Velero dies, or is asked again


def test_what_was_asked_before_may_be_asked_again() -> None:
    world = World(restore(wait="running"), claim("db-root"))
    world.create(machine())
    world.tick()
    world.tick()
    assert len(world.cluster.patches["copy/db"]) == 1


def test_two_processes_that_saw_the_same_machine_make_the_same_change() -> None:
    world = World(restore(wait="disks"), claim("db-root"))
    world.create(machine())
    first, second = world.context(), world.context()
    for context in (first, second):
        context.cluster.get_listed(virtual_machine.RESOURCE, "copy", "db")
    for context in (first, second):
        action.progress(world.operations["db"], context)
    one, other = world.cluster.patches["copy/db"]
    assert one == other  # the API server refuses the second: its resourceVersion is the old one


def test_a_second_restore_starts_what_the_first_one_could_not() -> None:
    world = World(restore(wait="disks"), claim("db-root"))
    world.create(machine())  # and Velero dies: nobody asks about that operation again
    world.asked = merged(restore(wait="disks"), {"metadata": {"uid": "second"}})
    world.create(machine())
    assert world.machine()["metadata"]["labels"] == {"stillpoint.dev/restore": "second"}
    assert world.tick().completed
    assert world.started() == ["db"]


def test_a_machine_given_up_is_taken_up_again_by_another_restore() -> None:
    world = World(restore(wait="disks", wait_timeout="5s"), claim("db-root", "Pending"))
    world.create(machine())
    assert world.tick().error
    world.set(claim("db-root"))
    world.asked = merged(restore(wait="disks"), {"metadata": {"uid": "second"}})
    world.create(machine())
    assert world.tick().completed
    assert NOT_STARTED not in world.machine()["metadata"]["annotations"]


def test_a_machine_that_a_person_has_started_is_not_touched() -> None:
    world = World(restore(wait="disks"), claim("db-root", "Pending"))
    world.create(machine())
    world.set(merged(world.machine(), {"spec": {"runStrategy": "Manual"}}))
    world.set(claim("db-root"))
    assert world.tick().completed
    assert world.cluster.patches == {}


def test_a_backup_made_while_a_machine_waited_restores_it_as_it_was_to_run() -> None:
    first = World(restore(wait="disks"), claim("db-root", "Pending"))
    waiting = merged(first.create(machine()), {"metadata": {"namespace": "shop"}})
    again = World(restore())
    created = again.create(waiting)
    assert created["spec"]["runStrategy"] == "Always"
    assert created["metadata"]["annotations"] == {}
    assert created["metadata"]["labels"] == {}


def test_a_run_strategy_that_the_restore_asks_for_goes_before_that_of_the_note() -> None:
    first = World(restore(wait="disks"), claim("db-root", "Pending"))
    waiting = merged(first.create(machine()), {"metadata": {"namespace": "shop"}})
    assert World(restore(run_strategy="Halted")).create(waiting)["spec"]["runStrategy"] == "Halted"


# waves


def waves(size: int, *names: str, **conditions: str) -> World:
    claims = [claim(f"{name}-root") for name in names]
    world = World(restore(start_wave_size=str(size), **conditions), *claims)
    for name in names:
        world.create(machine(name))
    return world


def test_as_many_start_at_a_time_as_are_asked_for_and_the_next_when_those_run() -> None:
    world = waves(2, "d", "b", "a", "c", "e", wait="running")
    told = world.tick_all()
    assert world.started() == ["a", "b"]
    assert told["c"].description == (
        "copy/c: 1 of 1 disks bound; waits for its turn, 2 start at a time"
    )
    world.tick_all()
    assert world.started() == ["a", "b"]
    world.tell("a", printableStatus="Running")
    world.tick_all()
    assert world.started() == ["a", "b", "c"]
    for name in ("b", "c"):
        world.tell(name, printableStatus="Running")
    world.tick_all()
    assert world.started() == ["a", "b", "c", "d", "e"]


def test_a_wave_is_waited_for_by_whoever_waits_for_nothing_else() -> None:
    world = waves(1, "a", "b")
    world.tick_all()
    assert world.started() == ["a"]


def test_a_machine_without_its_disks_does_not_hold_up_those_behind_it() -> None:
    world = waves(1, "a", "b", wait="disks")
    world.set(claim("a-root", "Pending"))
    world.tick_all()
    assert world.started() == ["b"]


def test_a_machine_that_does_not_come_up_makes_room_after_five_minutes() -> None:
    world = waves(1, "a", "b", wait="running")
    world.tick_all()
    world.tick_all(after=280)
    assert world.started() == ["a"]
    world.tick_all(after=20)
    assert world.started() == ["a", "b"]


def test_a_machine_that_was_given_up_takes_no_place() -> None:
    world = waves(1, "a", "b", wait="disks")
    action.cancel(world.operations["a"], world.context())
    told = world.tick_all()
    assert world.started() == ["b"]
    assert told["a"].error


def test_machines_of_other_restores_do_not_count() -> None:
    world = waves(1, "b", wait="disks")
    other = World(merged(restore(wait="disks"), {"metadata": {"uid": "other"}}))
    world.cluster.objects.append(other.create(machine("a")))
    world.tick_all()
    assert world.started() == ["b"]


# waves of several tenants

SEALED = "stillpoint.dev/sealed"
STARTED = "stillpoint.dev/started"


def stranger(namespace: str, name: str, strategy: str = "Halted", **annotations: Any) -> Item:
    """A machine that its tenant has marked as one of the restore's."""
    marks = {f"stillpoint.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"stillpoint.dev/restore": UID},
            "annotations": marks,
        },
        "spec": {"runStrategy": strategy, "template": {"spec": {}}},
    }


FORGED: dict[str, dict[str, Any]] = {
    "waits, and sorts first": {"start_as": "Always"},
    "started in the year 9999": {"started": "9999-01-01T00:00:00+00:00", "strategy": "Always"},
    "started at no time": {"started": "soon", "strategy": "Always"},
    "started without an offset": {"started": "2026-05-04T12:00:00", "strategy": "Always"},
    "started now": {"started": NOW.isoformat(), "strategy": "Always"},
    "sealed by himself": {"start_as": "Always", "sealed": f"{NOW.isoformat()} {'0' * 32}"},
    "sealed with nothing": {"start_as": "Always", "sealed": ""},
    "sealed beyond ASCII": {"start_as": "Always", "sealed": "ä ö"},
    "an annotation that is no text": {"start_as": "Always", "sealed": 7},
    "another annotation that is none": {"start_as": ["Always"]},
}


@pytest.mark.parametrize("marks", FORGED.values(), ids=list(FORGED))
def test_marks_that_a_tenant_sets_himself_hold_nobody_back(marks: dict[str, Any]) -> None:
    world = waves(1, "b", wait="disks")
    world.cluster.objects[:0] = [stranger("a-evil", name, **marks) for name in ("a", "b")]
    assert world.tick_all()["b"].description == "copy/b: 1 of 1 disks bound; started as Always"


@pytest.mark.parametrize("after", [0, 1])
def test_the_seal_of_another_machine_is_none(after: int) -> None:
    """Neither a copy of a note that is true of its owner, nor one with another time."""
    world = waves(1, "a", "b", wait="disks")
    world.tick_all()
    sealed = world.machine("a")["metadata"]["annotations"][SEALED]
    world.tell("a", printableStatus="Running")
    copied = [stranger("evil", "a", "Always", sealed=sealed), stranger("evil", "b", sealed=sealed)]
    world.cluster.objects += copied
    if after:
        time, mark = sealed.split(" ")
        world.cluster.objects.append(
            stranger("copy", "aa", "Always", sealed=f"{time[:-1]}1 {mark}")
        )
    world.tick_all()
    assert "b" in world.started()


def test_who_says_again_and_again_that_he_was_started_makes_room_all_the_same() -> None:
    world = waves(1, "a", "b", wait="running")
    world.tick_all()
    for _ in range(10):
        again = {"metadata": {"annotations": {STARTED: world.hands.now.isoformat()}}}
        world.set(merged(world.machine("a"), again))
        world.tick_all(after=40)
    assert world.started() == ["a", "b"]


def test_whose_start_is_refused_each_time_does_not_stop_the_others() -> None:
    world = waves(1, "b", "a", wait="disks")
    world.cluster.refused = {"copy/a"}
    told = world.tick_all()
    assert "cannot tell yet" in told["a"].description
    assert world.started() == []
    world.tick_all(after=300)
    assert world.started() == ["b"]


def test_who_is_late_gets_his_turn_and_no_more_start_than_are_asked_for() -> None:
    names = [f"vm{number}" for number in range(6)]
    world = waves(2, *names, wait="running")
    for name in names:
        world.set(claim(f"{name}-root", "Pending"))
    world.tick_all(after=600)
    for name in names:
        world.set(claim(f"{name}-root"))
    world.tick_all()
    assert world.started() == names[:2]
    world.tick_all()
    assert world.started() == names[:2]


def test_a_disk_that_cannot_be_asked_about_is_its_machine_s_own_trouble() -> None:
    world = waves(1, "a", "b", wait="disks")
    world.set(merged(claim("a-root"), {"status": {"phase": 7}}))
    told = world.tick_all()
    assert "cannot tell yet" in told["a"].description
    assert world.started() == ["b"]


def test_an_operation_of_an_older_release_goes_on() -> None:
    world = waves(1, "a", "b", wait="disks")
    for name, operation in world.operations.items():
        world.operations[name] = operation.rpartition(";")[0]
    world.tick_all()
    assert world.started() == ["a"]


def test_three_hundred_machines_cost_no_more_questions_than_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    names = [f"vm{number:03}" for number in range(300)]
    world = waves(300, *names, wait="running")
    world.set(claim("vm007-root", "Pending"))
    for _ in range(2):  # the first tick starts them, the second waits for all of them
        world.cluster.questions.clear()
        world.tick_all()
        asked = [each for each in world.cluster.questions if not each.startswith("patch")]
        assert len(asked) == len(set(asked)) <= 6, asked
    assert world.started() == [name for name in names if name != "vm007"]


def test_started_is_told_by_the_clock_of_the_context() -> None:
    world = World(restore(wait="disks"), claim("db-root"))
    world.create(machine())
    world.tick(after=60)
    at = world.machine()["metadata"]["annotations"]["stillpoint.dev/started"]
    assert at == (NOW + timedelta(seconds=60)).isoformat()
