"""A restored pool, from its creation until it goes to work with its own machines."""

from datetime import timedelta

import pytest

from stillpoint.actions.restore import virtual_machine_pool as action
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedRequest
from stillpoint.model.item import Item
from stillpoint.model.outcome import Progress
from tests.unit.contexts import NOW, Hands, restore_context
from tests.unit.dictionary_reader import DictionaryReader

OWNER = {"apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool", "name": "till"}
RESTORE: Item = {
    "metadata": {"name": "r", "uid": "7", "namespace": "velero"},
    "spec": {"namespaceMapping": {"shop": "shop-2"}},
}
LABELS = {"velero.io/restore-name": "r"}


def stored_pool(**spec: object) -> Item:
    return {
        "apiVersion": "pool.kubevirt.io/v1beta1",
        "kind": "VirtualMachinePool",
        "metadata": {"name": "till", "namespace": "shop"},
        "spec": {
            "replicas": 2,
            "virtualMachineTemplate": {"spec": {"template": {"spec": {}}}},
            **spec,
        },
    }


def stored_machine(name: str) -> Item:
    metadata = {"name": name, "namespace": "shop", "ownerReferences": [{**OWNER, "uid": "old"}]}
    return {"kind": "VirtualMachine", "metadata": metadata, "spec": {"template": {"spec": {}}}}


def machine(name: str, uid: str = "new", **metadata: object) -> Item:
    owners = [{**OWNER, "uid": uid, "controller": True}]
    labels = {"kubevirt.io/vm-pool-revision-name": "till-2-restored"}
    return {
        "kind": "VirtualMachine",
        "metadata": {
            "name": name,
            "namespace": "shop-2",
            "ownerReferences": owners,
            "labels": labels,
            **metadata,
        },
        "spec": {"runStrategy": "Halted", "template": {"spec": {}}},
    }


def begun(stored: Item, cluster: DictionaryReader) -> str:
    """The operation, after Velero has created the pool."""
    machines = [stored_machine("till-1"), stored_machine("till-4")]
    outcome = action.execute(stored, restore_context(RESTORE, stored, cluster, archive=machines))
    metadata = {**outcome.item["metadata"], "namespace": "shop-2", "uid": "new", "labels": LABELS}
    metadata["resourceVersion"] = "5"
    cluster.objects.append({**outcome.item, "metadata": metadata})
    return outcome.operation


def asked(operation: str, cluster: DictionaryReader, hands: Hands | None = None) -> Progress:
    return action.progress(operation, restore_context(RESTORE, {}, cluster, hands))


def pool(cluster: DictionaryReader) -> Item:
    [found] = [one for one in cluster.objects if one["kind"] == "VirtualMachinePool"]
    return found


def test_a_pool_goes_to_work_when_its_machines_are_back() -> None:
    cluster = DictionaryReader([machine("till-1"), machine("till-4")])
    operation = begun(stored_pool(), cluster)
    assert it.flag(pool(cluster), "spec", "paused")
    progress = asked(operation, cluster)
    assert (progress.completed, progress.error) == (True, "")
    assert progress.description == "shop-2/till: has its 2 machines back"
    assert not it.flag(pool(cluster), "spec", "paused")
    assert it.annotations(pool(cluster)) == {}
    assert cluster.patches["shop-2/till"][0]["metadata"]["resourceVersion"] == "5"


def test_its_revision_goes_with_it_again() -> None:
    metadata = {"name": "till-2-restored", "namespace": "shop-2", "labels": LABELS}
    revision: Item = {"kind": "ControllerRevision", "metadata": metadata}
    cluster = DictionaryReader([machine("till-1"), machine("till-4"), revision])
    asked(begun(stored_pool(), cluster), cluster)
    [change] = cluster.patches["shop-2/till-2-restored"]
    assert change["metadata"]["ownerReferences"] == [
        {**OWNER, "uid": "new", "controller": True},
    ]


def test_one_that_was_paused_before_stays_so_and_keeps_no_notes() -> None:
    cluster = DictionaryReader([machine("till-1"), machine("till-4")])
    progress = asked(begun(stored_pool(paused=True), cluster), cluster)
    assert progress.completed
    assert it.flag(pool(cluster), "spec", "paused")
    assert it.annotations(pool(cluster)) == {}


@pytest.mark.parametrize(
    "others",
    [[], [machine("till-4", uid="old")], [machine("till-4", ownerReferences=[])]],
    ids=["missing", "another pool's", "nobody's"],
)
def test_it_stays_paused_where_it_would_make_a_machine_on_a_restored_disk(
    others: list[Item],
) -> None:
    cluster = DictionaryReader([machine("till-1"), *others])
    progress = asked(begun(stored_pool(), cluster), cluster)
    assert progress.completed
    assert progress.error.startswith(
        "shop-2/till: stays paused: till-4 did not come back, and it would make others on their "
    )
    assert not cluster.patches


def test_it_stays_paused_where_it_would_delete_one() -> None:
    cluster = DictionaryReader([machine("till-1"), machine("till-4"), machine("till-5")])
    progress = asked(begun(stored_pool(), cluster), cluster)
    assert "stays paused: it has 1 machine too many, and would delete as many" in progress.error
    assert not cluster.patches


def test_it_waits_for_machines_that_are_still_to_be_started_and_gives_up_in_the_end() -> None:
    held = machine("till-4", annotations={"stillpoint.dev/start-as": "Always"})
    cluster = DictionaryReader([machine("till-1"), held])
    operation = begun(stored_pool(), cluster)
    progress = asked(operation, cluster)
    assert (progress.completed, progress.error) == (False, "")
    assert progress.description == "shop-2/till: waits for 1 machine to be started"
    late = asked(operation, cluster, Hands(NOW + timedelta(hours=4)))
    assert late.completed
    assert late.error.endswith("gave up, it stays paused")
    assert it.flag(pool(cluster), "spec", "paused")


def test_a_pool_that_was_there_and_at_work_is_left_alone() -> None:
    cluster = DictionaryReader([])
    operation = begun(stored_pool(), cluster)
    cluster.objects = [{**stored_pool(), "metadata": {"name": "till", "namespace": "shop-2"}}]
    progress = asked(operation, cluster)
    assert (progress.completed, progress.error) == (True, "")


def test_one_that_was_not_created_is_an_error_of_its_operation() -> None:
    cluster = DictionaryReader([])
    operation = begun(stored_pool(), cluster)
    cluster.objects = []
    assert "not there" in asked(operation, cluster).error


def test_the_version_of_the_stored_pool_is_the_one_that_is_asked_for() -> None:
    old = {**stored_pool(), "apiVersion": "pool.kubevirt.io/v1alpha1"}
    assert begun(old, DictionaryReader([])).startswith("pool_v1alpha1;")


def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    cluster = DictionaryReader([machine("till-1"), machine("till-4")])
    operation = begun(stored_pool(), cluster)
    cluster.failure = MalformedRequest("cluster", "cannot get", "away")
    progress = asked(operation, cluster)
    assert (progress.completed, progress.error) == (False, "")
    assert "cannot tell yet" in progress.description
