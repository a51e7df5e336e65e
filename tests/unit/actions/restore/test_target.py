"""What becomes of a restore under whose name something exists."""

from typing import Any

import pytest

from stillpoint.actions.restore import persistent_volume_claim, virtual_machine
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.rehearsal.velero_steps import restore_request
from tests.unit.contexts import NOW, Hands, restore_context
from tests.unit.dictionary_reader import DictionaryReader, merged

POLICIES = ("FailImmediate", "StopTarget", "WaitGracePeriod", "WaitEventually")
GOING = {"metadata": {"deletionTimestamp": "2026-05-04T11:59:00Z"}}


def machine(strategy: str = "Always") -> Item:
    return {
        "kind": "VirtualMachine",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"runStrategy": strategy, "template": {"spec": {}}},
    }


INSTANCE: Item = {
    "kind": "VirtualMachineInstance",
    "metadata": {"name": "db", "namespace": "shop"},
}
CLAIM: Item = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop"},
}


def restore(policy: str = "", existing: str = "update", **spec: str) -> Item:
    named = {"stillpoint.dev/target-readiness-policy": policy} if policy else {}
    return {
        "kind": "Restore",
        "metadata": {"name": "back", "annotations": named},
        "spec": {"existingResourcePolicy": existing, "itemOperationTimeout": "1h", **spec},
        "status": {"startTimestamp": NOW.isoformat()},
    }


class Events(Hands):
    """A clock at which the cluster changes: after so many seconds these kinds are gone."""

    def __init__(self, cluster: DictionaryReader, after_s: float, *gone: str) -> None:
        super().__init__()
        self.cluster = cluster
        self.after_s = after_s
        self.gone = gone

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.passed() >= self.after_s:
            left = [each for each in self.cluster.objects if each["kind"] not in self.gone]
            self.cluster.objects = left

    def passed(self) -> float:
        return (self.now - NOW).total_seconds()


def restored(asked: Item, hands: Events, action: Any = virtual_machine, item: Item = CLAIM) -> Item:
    item = machine("Manual") if action is virtual_machine else item
    outcome: Item = action.execute(item, restore_context(asked, item, hands.cluster, hands)).item
    return outcome


def running() -> DictionaryReader:
    return DictionaryReader([machine(), INSTANCE])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("existing", [(), (machine("Halted"),)], ids=["nothing", "stopped"])
@pytest.mark.parametrize("velero", ["none", "update"])
def test_nothing_is_waited_for_where_nothing_runs(
    policy: str, existing: tuple[Item, ...], velero: str
) -> None:
    hands = Events(DictionaryReader(existing), 0)
    assert restored(restore(policy, velero), hands)["spec"]["runStrategy"] == "Manual"
    assert hands.passed() == 0
    assert hands.cluster.patches == {}


def test_a_restore_without_the_annotation_waits_five_minutes_and_fails() -> None:
    hands = Events(running(), 9999)
    with pytest.raises(Refusal) as raised:
        restored(restore(), hands)
    assert hands.passed() == 300
    assert str(raised.value).startswith(
        "VirtualMachine shop/db: cannot restore over it: it runs (WaitGracePeriod); HINT: stop it, "
    )
    assert hands.cluster.patches == {}


def test_the_grace_period_is_counted_from_the_start_of_the_restore() -> None:
    hands = Events(running(), 9999)
    hands.now = NOW.replace(hour=13)
    with pytest.raises(Refusal):
        restored(restore(), hands)
    assert hands.now == NOW.replace(hour=13)


@pytest.mark.parametrize("policy", ["WaitGracePeriod", "WaitEventually", "StopTarget"])
def test_a_machine_that_stops_in_time_is_restored_over(policy: str) -> None:
    hands = Events(running(), 120, "VirtualMachineInstance")
    restored(restore(policy), hands)
    assert hands.passed() == 120


def test_fail_immediate_fails_immediately() -> None:
    hands = Events(running(), 0, "VirtualMachineInstance")
    with pytest.raises(Refusal, match=r"it runs \(FailImmediate\)"):
        restored(restore("FailImmediate"), hands)
    assert hands.passed() == 0


def test_stop_target_stops_it_once_and_waits_until_it_has_stopped() -> None:
    hands = Events(running(), 60, "VirtualMachineInstance")
    restored(restore("StopTarget"), hands)
    assert hands.cluster.patches == {
        "shop/db": [{"spec": {"runStrategy": "Halted", "running": None}}]
    }


@pytest.mark.parametrize("policy", ["WaitEventually", "StopTarget"])
def test_waiting_eventually_ends_with_the_time_that_velero_gives_operations(policy: str) -> None:
    hands = Events(running(), 9999)
    with pytest.raises(Refusal):
        restored(restore(policy), hands)
    assert hands.passed() == 3600


@pytest.mark.parametrize("policy", ["", "WaitGracePeriod", "WaitEventually"])
def test_a_machine_that_velero_leaves_as_it_is_is_not_waited_for(policy: str) -> None:
    hands = Events(running(), 9999)
    restored(restore(policy, "none"), hands)
    assert hands.passed() == 0


@pytest.mark.parametrize(
    ("policy", "cause"),
    [("FailImmediate", "it exists and runs"), ("StopTarget", "stopped for nothing")],
)
def test_a_machine_that_velero_leaves_as_it_is_is_never_stopped(policy: str, cause: str) -> None:
    hands = Events(running(), 9999)
    with pytest.raises(Refusal, match=cause):
        restored(restore(policy, "none"), hands)
    assert hands.cluster.patches == {}


@pytest.mark.parametrize("policy", ["WaitGracePeriod", "WaitEventually", "StopTarget"])
@pytest.mark.parametrize("velero", ["none", "update"])
def test_a_machine_that_is_being_deleted_is_waited_for_whatever_velero_does_with_others(
    policy: str, velero: str
) -> None:
    going = DictionaryReader([merged(machine(), GOING), INSTANCE])
    hands = Events(going, 45, "VirtualMachine", "VirtualMachineInstance")
    restored(restore(policy, velero), hands)
    assert hands.passed() == 45
    assert hands.cluster.patches == {}


def test_the_machine_is_looked_for_where_it_is_restored_to() -> None:
    hands = Events(running(), 9999)
    mapped = restore("FailImmediate", namespaceMapping={"shop": "copy"})  # type: ignore[arg-type]
    restored(mapped, hands)


def test_exceptions_name_one_machine() -> None:
    with pytest.raises(Refusal):
        restored(restore("WaitEventually, db=FailImmediate"), Events(running(), 9999))


@pytest.mark.parametrize("policy", ["WaitGracePeriod", "WaitEventually"])
def test_a_rehearsal_tells_at_once_what_would_be_waited_for(policy: str) -> None:
    hands = Events(running(), 9999)
    with pytest.raises(Refusal, match=f"it runs .{policy}"):
        restored(restore_request.begin(restore(policy), {"metadata": {"name": "b"}}), hands)
    assert hands.passed() == 0


# claims


def test_a_claim_that_is_being_deleted_is_waited_for_so_that_its_bytes_come_back() -> None:
    hands = Events(DictionaryReader([merged(CLAIM, GOING)]), 30, "PersistentVolumeClaim")
    restored(restore(existing="none"), hands, persistent_volume_claim)
    assert hands.passed() == 30


def test_a_claim_that_stays_is_refused_instead_of_being_taken_for_restored() -> None:
    hands = Events(DictionaryReader([merged(CLAIM, GOING)]), 9999)
    with pytest.raises(Refusal, match=r"PersistentVolumeClaim shop/data: .* still being deleted"):
        restored(restore(), hands, persistent_volume_claim)
    assert hands.passed() == 300


def test_a_claim_that_exists_is_velero_s_to_pass_over() -> None:
    hands = Events(DictionaryReader([CLAIM]), 9999)
    restored(restore(), hands, persistent_volume_claim)
    assert hands.passed() == 0
