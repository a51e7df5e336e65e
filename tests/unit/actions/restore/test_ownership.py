"""State claims and revisions belong to their machine again, at the restore's first tick."""

from typing import Any, NoReturn

from stillpoint.actions.restore import virtual_machine as action
from stillpoint.actions.restore import virtual_machine_instance as instance_action
from stillpoint.model.errors import Forbidden, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.outcome import Progress
from tests.unit.contexts import restore_context
from tests.unit.dictionary_reader import DictionaryReader

RESTORE: Item = {"metadata": {"name": "r", "uid": "7", "namespace": "velero"}}
RESTORED = {"velero.io/restore-name": "r"}
OWNER = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "name": "db",
    "uid": "new",
    "controller": True,
}


def machine(name: str = "db", revision: str = "db-small-v1", **notes: str) -> Item:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "shop", "uid": "new", "annotations": notes},
        "spec": {
            "instancetype": {"name": "small", "revisionName": revision},
            "template": {"spec": {"domain": {"devices": {"tpm": {"persistent": True}}}}},
        },
    }


def revision(**metadata: Any) -> Item:
    metadata = {"name": "db-small-v1", "namespace": "shop", "labels": RESTORED} | metadata
    return {"kind": "ControllerRevision", "metadata": metadata}


def restored(item: Item) -> Item:
    """The item as Velero creates it."""
    return {**item, "metadata": item["metadata"] | {"labels": RESTORED}}


def state(**labels: str) -> Item:
    labels = {"persistent-state-for": "db"} | (labels or RESTORED)
    metadata = {"name": "state-x", "namespace": "shop", "labels": labels}
    return {"kind": "PersistentVolumeClaim", "metadata": metadata}


def operation(item: Item, *archive: Item) -> str:
    context = restore_context(RESTORE, item, DictionaryReader([]), archive=archive)
    return action.execute(item, context).operation


def asked(cluster: DictionaryReader) -> Progress:
    begun = operation(machine(), state())
    return action.progress(begun, restore_context(RESTORE, {}, cluster))


def test_a_machine_owns_its_state_and_its_revision_again() -> None:
    cluster = DictionaryReader([machine(), state(), revision()])
    progress = asked(cluster)
    assert (progress.completed, progress.error) == (True, "")
    for name in ("shop/state-x", "shop/db-small-v1"):
        [change] = cluster.patches[name]
        assert change["metadata"]["ownerReferences"] == [OWNER]


def test_an_instance_that_stands_alone_owns_its_state_again() -> None:
    """As KubeVirt made it: else the next one of that name would start with its vTPM."""
    solo = {**machine(revision=""), "kind": "VirtualMachineInstance", "spec": {}}
    context = restore_context(RESTORE, solo, DictionaryReader([]), archive=[state()])
    begun = instance_action.execute(solo, context).operation
    cluster = DictionaryReader([restored(solo), state()])
    progress = instance_action.progress(begun, restore_context(RESTORE, {}, cluster))
    assert (progress.completed, progress.error) == (True, "")
    [change] = cluster.patches["shop/state-x"]
    assert change["metadata"]["ownerReferences"] == [{**OWNER, "kind": "VirtualMachineInstance"}]
    plain = restore_context(RESTORE, solo, DictionaryReader([]), archive=[])
    assert instance_action.execute(solo, plain).operation == ""


def test_an_instance_that_velero_left_as_it_was_gets_no_state_that_would_go_with_it() -> None:
    """That of a machine ends at the next stop, and the garbage collector takes what it owns."""
    solo = {**machine(revision=""), "kind": "VirtualMachineInstance", "spec": {}}
    context = restore_context(RESTORE, solo, DictionaryReader([]), archive=[state()])
    begun = instance_action.execute(solo, context).operation
    marked = restored(solo)  # as existingResourcePolicy: update does
    marked["metadata"]["ownerReferences"] = [OWNER]
    for existing in (solo, marked):
        cluster = DictionaryReader([existing, state()])
        progress = instance_action.progress(begun, restore_context(RESTORE, {}, cluster))
        assert (progress.completed, progress.error) == (True, "")
        assert not cluster.patches


def test_what_was_there_before_the_restore_or_has_an_owner_stays_as_it_is() -> None:
    others = revision(ownerReferences=[{"kind": "VirtualMachine", "name": "web", "uid": "w"}])
    cluster = DictionaryReader([machine(), state(other="restore"), others])
    assert asked(cluster).completed
    assert not cluster.patches


def test_a_machine_that_was_made_anew_meanwhile_gets_nothing_by_its_old_uid() -> None:
    before = {**machine(), "metadata": machine()["metadata"] | {"uid": "old"}}
    cluster = DictionaryReader([machine(), state(), revision()])
    begun = operation(machine(), state())
    stale = Stale(cluster.objects, before)
    assert action.progress(begun, restore_context(RESTORE, {}, stale)).completed
    assert not stale.patches


def test_a_revision_that_two_machines_name_goes_with_neither() -> None:
    cluster = DictionaryReader([machine(), machine("web"), revision()])
    assert asked(cluster).completed
    assert not cluster.patches


def test_a_machine_without_either_has_nothing_to_wait_for() -> None:
    plain: Item = {
        "kind": "VirtualMachine",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"template": {"spec": {}}},
    }
    assert operation(plain) == ""
    assert operation(machine()).startswith("owners;")


def test_a_right_that_lacks_is_told_and_fails_nothing() -> None:
    cluster = Refusing([machine(), state()], Forbidden("claim", "cannot patch", "403"))
    progress = asked(cluster)
    assert (progress.completed, progress.error) == (True, "")
    assert (
        "does not own all of its state and revisions: claim: cannot patch" in progress.description
    )


def test_a_conflict_is_tried_again() -> None:
    cluster = Refusing([machine(), state()], Unreachable("claim", "cannot patch", "409"))
    assert not asked(cluster).completed


def test_a_machine_that_is_waited_for_gets_its_own_meanwhile() -> None:
    cluster = DictionaryReader([machine(), state()])
    restore = {**RESTORE, "metadata": RESTORE["metadata"] | {"annotations": WAITS}}
    context = restore_context(restore, machine(), DictionaryReader([]), archive=[state()])
    begun = action.execute(machine(), context).operation
    action.progress(begun, restore_context(restore, {}, cluster))
    assert "shop/state-x" in cluster.patches


WAITS = {"stillpoint.dev/wait": "disks"}


class Refusing(DictionaryReader):
    def __init__(self, objects: list[Item], error: Exception) -> None:
        super().__init__(objects)
        self._error = error

    def patch(self, *_: Any) -> NoReturn:
        raise self._error


class Stale(DictionaryReader):
    """Lists what was there before."""

    def __init__(self, objects: list[Item], before: Item) -> None:
        super().__init__(objects)
        self._before = before

    def list(self, resource: Any, namespace: str, labels: str = "") -> Any:
        found = super().list(resource, namespace, labels)
        return [self._before if one["kind"] == "VirtualMachine" else one for one in found]
