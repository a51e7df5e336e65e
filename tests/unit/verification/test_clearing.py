"""A scratch namespace is empty when its controller looks at it; where it is not, it goes later."""

from datetime import timedelta

import pytest

from stillpoint.model.errors import Denied, Forbidden, NoResponse, ReadFailed, Unreachable
from stillpoint.model.item import Item
from stillpoint.resources.machines import virtual_machine
from stillpoint.verification.clearing import FINALIZED_S, NAMESPACE_S, RESTORE_S, Clearing
from stillpoint.verification.scratch import Purpose, Scratch, create
from tests.unit.dictionary_reader import merged
from tests.unit.verification.played import BEGAN, ORIGINAL, SNAPSHOT, Key, Played

SCRATCH = Scratch("stillpoint-verify-0", "run-1", "velero")
KEPT = {ORIGINAL, SNAPSHOT}
EMPTYING = {"VirtualMachine", "VolumeSnapshot", "PersistentVolumeClaim"}
FORBIDDEN = Forbidden("it", "cannot do it", "HTTP 403: no right", "give it")
FAULTS = [
    FORBIDDEN,
    Denied("it", "cannot do it", "HTTP 403: a policy"),
    Unreachable("it", "cannot do it", "HTTP 409: it was changed"),
    Unreachable("it", "cannot do it", "HTTP 429: later"),
    Unreachable("it", "cannot do it", "HTTP 500: etcd"),
    NoResponse("it", "cannot do it", "connection reset"),
]
DELETIONS = [
    "delete virtualmachines",
    "delete volumesnapshots",
    "delete persistentvolumeclaims",
    "list virtualmachines",
]


def restored() -> Played:
    """A cluster in which a machine was restored, and runs."""
    cluster = Played()
    create(cluster, SCRATCH, Purpose("shop/db", "velero/nightly", timedelta(minutes=45), {}))
    labels = {"app.kubernetes.io/instance": "run-1"}
    name = {"name": SCRATCH.name, "namespace": "velero", "labels": labels}
    mapped = {"namespaceMapping": {"shop": SCRATCH.name}}
    restore = cluster.keep({"kind": "Restore", "metadata": name, "spec": mapped})
    for one in cluster.machine(restore):
        cluster.keep(one)
    cluster.keep({**restore, "status": {"phase": "Completed"}})
    cluster.start(cluster.objects["VirtualMachine", SCRATCH.name, "db"])
    cluster.requests.clear()
    return cluster


def cleared(
    cluster: Played,
    *,
    may_move: bool = False,
    are_bound: bool = False,
    restore: Item | None = None,
    namespace: Item | None = None,
) -> tuple[Clearing, list[set[str]]]:
    """The clearing when it has ended, and what was left in the namespace as its place was free."""
    vacated: list[set[str]] = []

    def see() -> None:
        there = {kind for kind, place, _ in cluster.objects if place == SCRATCH.name}
        assert ("Namespace", "", SCRATCH.name) in cluster.objects
        vacated.append(there & {"VirtualMachine", "VirtualMachineInstance", "Pod"})

    originals = {f"csi disks.test {ORIGINAL}"}
    clearing = Clearing(
        cluster,
        cluster.clock,
        SCRATCH,
        originals,
        are_bound=are_bound,
        may_move=may_move,
        namespace=namespace,
        restore=restore,
        vacated=see,
    )
    clearing.run()
    return clearing, vacated


def key_of(cluster: Played, kind: str) -> Key:
    [key] = [one for one in cluster.objects if one[0] == kind and one[1] == SCRATCH.name]
    return key


def test_nothing_keeps_the_namespace_when_its_controller_looks_at_it() -> None:
    cluster = restored()
    clearing, vacated = cleared(cluster)
    assert (clearing.left, clearing.notes, vacated) == ([], [], [set()])
    [found] = cluster.found
    assert not found & EMPTYING
    assert not cluster.left
    assert cluster.storage == KEPT


def test_the_namespace_is_in_deletion_before_anything_in_it_is_deleted() -> None:
    """CDI would make a claim again that it misses."""
    cluster = restored()
    cleared(cluster)
    deleted = [one.split()[1] for one in cluster.requests if one.startswith("delete")]
    assert deleted == [
        "restores",
        "volumesnapshotcontents",
        "namespaces",
        "volumesnapshots",
        "persistentvolumeclaims",
        "virtualmachines",
    ]


@pytest.mark.parametrize("request_", DELETIONS)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_what_cannot_be_deleted_goes_with_the_namespace_and_is_told(
    request_: str, fault: ReadFailed
) -> None:
    cluster = restored()
    cluster.faults = {request_: fault}
    clearing, vacated = cleared(cluster)
    assert (clearing.left, vacated) == ([], [])
    assert clearing.notes == [f"its namespace goes later than it could: {fault}"]
    assert not cluster.left
    assert cluster.storage == KEPT


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_watch_for_the_end_of_the_machine_that_fails(fault: ReadFailed) -> None:
    cluster = restored()
    cluster.kept = {"VirtualMachine"}
    cluster.faults = {"watch virtualmachines": fault}
    end_of_guest(cluster, "get virtualmachines", 2)
    clearing, vacated = cleared(cluster)
    is_told = isinstance(fault, Forbidden | Denied)
    assert clearing.notes == [f"its namespace goes later than it could: {fault}"] * is_told
    assert (clearing.left, vacated) == ([], [set()] * (not is_told))
    assert not cluster.left


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_machine_that_cannot_be_looked_at_as_it_goes(fault: ReadFailed) -> None:
    cluster = restored()
    cluster.kept = cluster.never = {"VirtualMachine"}
    cluster.faults = {"get virtualmachines": fault}
    end_of_guest(cluster, "get virtualmachines", 1)
    clearing, vacated = cleared(cluster)
    assert (clearing.left, vacated) == ([], [])
    assert clearing.notes == [f"its namespace goes later than it could: {fault}"]
    assert not cluster.left


def end_of_guest(cluster: Played, request: str, number: int) -> None:
    """The finalizer of the machine goes just before that request of that kind."""

    def end(_number: int) -> None:
        sent = [one for one in cluster.requests if one.startswith((request, "watch namespaces"))]
        if len(sent) >= number or (sent and sent[-1].startswith("watch namespaces")):
            cluster.kept = set()
            for key in [*cluster.objects]:
                if key[0] in ("VirtualMachine", "VirtualMachineInstance", "Pod"):
                    cluster.drop(key)

    cluster.on_request = end


@pytest.mark.parametrize("kind", ["VirtualMachine", "VolumeSnapshot", "PersistentVolumeClaim"])
def test_what_is_gone_already_is_no_fault(kind: str) -> None:
    cluster = restored()

    def take(number: int) -> None:
        if cluster.requests[number - 1].startswith("delete namespaces"):
            cluster.drop(key_of(cluster, kind))

    cluster.on_request = take
    clearing, _vacated = cleared(cluster)
    assert (clearing.left, clearing.notes) == ([], [])
    assert not cluster.left or kind == "PersistentVolumeClaim"


@pytest.mark.parametrize("kind", ["VirtualMachine", "VolumeSnapshot", "PersistentVolumeClaim"])
def test_another_object_of_the_name_is_not_taken_for_it(kind: str) -> None:
    """It goes with the namespace, if at all."""
    cluster = restored()

    def replace(number: int) -> None:
        if cluster.requests[number - 1].startswith(f"delete {plural(kind)}"):
            key = key_of(cluster, kind)
            item: Item = cluster.objects[key]
            cluster.drop(key)
            cluster.keep({**item, "metadata": {"namespace": key[1], "name": key[2]}})

    cluster.on_request = replace
    clearing, vacated = cleared(cluster)
    [note] = clearing.notes
    assert "HTTP 409" in note
    assert vacated == []
    assert kind in cluster.found[0]


def plural(kind: str) -> str:
    return f"{kind.lower()}s"


def test_a_machine_that_never_goes_is_named_and_waited_for_no_longer_than_before() -> None:
    cluster = restored()
    cluster.kept = cluster.never = {"VirtualMachine"}
    clearing, vacated = cleared(cluster)
    [left] = clearing.left
    assert f"namespace {SCRATCH.name} is being deleted: finalizers remaining" in left
    assert vacated == []
    assert cluster.now - BEGAN < timedelta(seconds=NAMESPACE_S + 30)
    assert len(cluster.requests) < 40
    assert cluster.storage == KEPT


def test_a_guest_that_takes_a_while_to_end_is_waited_for_by_watches() -> None:
    cluster = restored()
    cluster.kept = {"VirtualMachine"}
    end_of_guest(cluster, "get virtualmachines", 3)
    cluster.never = {"VirtualMachine"}
    clearing, vacated = cleared(cluster)
    assert (clearing.left, clearing.notes, vacated) == ([], [], [set()])


def test_a_restore_that_velero_deletes_later_keeps_nothing_waiting() -> None:
    """It deletes none while it restores another."""
    cluster = restored()
    cluster.kept = cluster.never = {"Restore"}
    clearing, vacated = cleared(cluster)
    [left] = clearing.left
    assert "Restore velero/stillpoint-verify-0 is deleted, and Velero keeps it for now" in left
    assert vacated == [set()]
    assert [key[0] for key in cluster.left] == ["Restore"]
    assert cluster.now - BEGAN < timedelta(seconds=RESTORE_S + 30)


def test_a_data_mover_ends_with_the_restore_which_is_waited_for() -> None:
    cluster = restored()
    cluster.kept = cluster.never = {"Restore"}
    clearing, vacated = cleared(cluster, may_move=True)
    [left] = clearing.left
    assert "Velero keeps it for now" in left
    assert vacated == [set()]
    order = [one.rpartition(" ")[0] for one in cluster.requests]
    assert order.index("watch restores") < order.index("list datadownloads")
    assert order.index("list datadownloads") < order.index("delete namespaces")


def finalizing(cluster: Played) -> Item:
    """The Restore, which Velero finalizes still."""
    restore = cluster.objects["Restore", "velero", SCRATCH.name]
    return cluster.keep({**restore, "status": {"phase": "Finalizing"}})


def test_velero_finalizes_a_restore_while_its_claims_are_there() -> None:
    """It would look for them for ten minutes, and finalize no other Restore."""
    cluster = restored()
    restore = finalizing(cluster)

    def end(number: int) -> None:
        there = {kind for kind, place, _ in cluster.objects if place == SCRATCH.name}
        assert there >= EMPTYING
        if cluster.requests[number - 1].startswith("watch restores"):
            cluster.keep({**restore, "status": {"phase": "Completed"}})
        elif cluster.requests[number - 1].startswith("delete restores"):
            cluster.on_request = lambda _number: None

    cluster.on_request = end
    clearing, vacated = cleared(cluster, restore=restore, are_bound=True)
    assert (clearing.left, clearing.notes, vacated) == ([], [], [set()])
    assert cluster.requests[0].startswith("watch restores")


def completing(cluster: Played) -> Item:
    """The Restore, which Velero has finalized as soon as somebody watches it."""
    restore = finalizing(cluster)

    def end(number: int) -> None:
        if cluster.requests[number - 1].startswith("watch restores"):
            cluster.keep({**restore, "status": {"phase": "Completed"}})

    cluster.on_request = end
    return restore


def namespace_of(cluster: Played) -> Item:
    return cluster.objects["Namespace", "", SCRATCH.name]


def test_what_is_watched_from_before_its_deletion_need_not_be_read() -> None:
    cluster = restored()
    restore, namespace = completing(cluster), namespace_of(cluster)
    clearing, vacated = cleared(cluster, restore=restore, namespace=namespace, are_bound=True)
    assert (clearing.left, clearing.notes, vacated) == ([], [], [set()])
    assert not cluster.left
    assert not any(one.startswith("get") for one in cluster.requests)


@pytest.mark.parametrize("kind", ["namespaces", "restores"])
@pytest.mark.parametrize(
    "fault", [one for one in FAULTS if not isinstance(one, Forbidden | Denied)]
)
def test_what_cannot_be_watched_is_read(kind: str, fault: ReadFailed) -> None:
    cluster = restored()
    restore, namespace = completing(cluster), namespace_of(cluster)
    cluster.faults = {f"watch {kind}": fault}
    go_on = cluster.on_request

    def mend(number: int) -> None:
        go_on(number)
        if cluster.requests[number - 1].startswith("get "):
            cluster.faults = {}

    cluster.on_request = mend
    clearing, vacated = cleared(cluster, restore=restore, namespace=namespace, are_bound=True)
    assert (clearing.left, clearing.notes, vacated) == ([], [], [set()])
    assert not cluster.left
    assert any(one.startswith(f"get {kind}") for one in cluster.requests)


def test_a_namespace_that_somebody_else_has_deleted() -> None:
    cluster = restored()
    namespace = namespace_of(cluster)
    for key in [*cluster.objects]:
        if SCRATCH.name in key[1:] and key[0] != "Restore":
            cluster.drop(key)
    clearing, _vacated = cleared(cluster, namespace=namespace)
    assert (clearing.left, clearing.notes) == ([], [])
    assert cluster.now - BEGAN < timedelta(seconds=30)


def test_a_namespace_that_has_lost_the_label_of_its_run_since_it_was_created_stays() -> None:
    cluster = restored()
    namespace = namespace_of(cluster)
    cluster.keep(merged(namespace, {"metadata": {"labels": None}}))
    clearing, _vacated = cleared(cluster, namespace=namespace)
    assert "not of this run any more" in str(clearing.left)
    assert namespace_of(cluster)


def test_a_restore_that_is_not_seen_to_go_is_asked_for() -> None:
    cluster = restored()
    restore, cluster.kept = completing(cluster), {"Restore"}
    clearing, vacated = cleared(cluster, restore=restore, are_bound=True)
    [left] = clearing.left
    assert "Velero keeps it for now" in left
    assert vacated == [set()]


@pytest.mark.parametrize("are_bound", [False, True])
def test_a_restore_that_velero_does_not_finalize_is_not_waited_for_long(are_bound: bool) -> None:
    cluster = restored()
    restore = finalizing(cluster)
    cluster.never = {"Restore"}
    clearing, vacated = cleared(cluster, restore=restore, are_bound=are_bound)
    assert (clearing.left, vacated) == ([], [set()])
    waited_s = (cluster.now - BEGAN).total_seconds()
    assert (waited_s > FINALIZED_S) is are_bound
    assert waited_s < FINALIZED_S + 15


def test_a_restore_that_is_kept_is_waited_for_once() -> None:
    """Velero has restored its objects while its end was waited for, and is not there any more."""
    cluster = restored()
    restore = cluster.objects["Restore", "velero", SCRATCH.name]
    cluster.keep({**restore, "status": {"phase": "InProgress"}})
    cluster.kept = cluster.never = {"Restore"}

    def go_on(number: int) -> None:
        if cluster.requests[number - 1].startswith("watch restores"):
            cluster.keep({**restore, "status": {"phase": "Finalizing"}})

    cluster.on_request = go_on
    clearing, _vacated = cleared(cluster)
    assert len(clearing.left) == 1
    assert [key[0] for key in cluster.left] == ["Restore"]
    assert cluster.now - BEGAN < timedelta(seconds=RESTORE_S + 40)


def test_a_namespace_that_stays_is_not_taken_for_one_that_velero_made_again() -> None:
    cluster = restored()
    cluster.kept = cluster.never = {"VirtualMachine", "Restore"}
    clearing, _vacated = cleared(cluster)
    assert [one.split()[0] for one in clearing.left] == ["namespace", "Restore"]
    assert "finalizers remaining" in clearing.left[0]


PROTECTED = {"kubevirt.io/vm-delete-protection": "True"}


@pytest.mark.parametrize("labels", [{}, PROTECTED])
def test_a_machine_that_must_not_be_deleted_like_its_original(labels: Item) -> None:
    cluster = restored()
    key = key_of(cluster, "VirtualMachine")
    cluster.keep(merged(cluster.objects[key], {"metadata": {"labels": labels}}))
    before = len(cluster.requests)
    delete = cluster.delete

    def refuse(*arguments: object, **options: object) -> None:
        if PROTECTED.items() <= cluster.objects.get(key, {}).get("metadata", {})["labels"].items():
            assert arguments[0] != virtual_machine.RESOURCE, "the policy denies it"
        delete(*arguments, **options)  # type: ignore[arg-type]

    cluster.delete = refuse  # type: ignore[method-assign]
    clearing, vacated = cleared(cluster)
    assert (clearing.left, clearing.notes, vacated) == ([], [], [set()])
    patched = [one for one in cluster.requests[before:] if one.startswith("patch virtualm")]
    assert len(patched) == len(labels)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_protection_that_cannot_be_taken_off_is_told(fault: ReadFailed) -> None:
    cluster = restored()
    key = key_of(cluster, "VirtualMachine")
    cluster.keep(merged(cluster.objects[key], {"metadata": {"labels": PROTECTED}}))
    cluster.faults = {"patch virtualmachines": fault}
    clearing, vacated = cleared(cluster)
    assert (clearing.left, vacated) == ([], [])
    assert clearing.notes == [f"its namespace goes later than it could: {fault}"]


def test_machines_that_nobody_has_counted_are_all_deleted() -> None:
    """As where a Velero without the plugin brought more than one."""
    cluster = restored()
    [key] = [one for one in cluster.objects if one[0] == "VirtualMachine"]
    web = merged(cluster.objects[key], {"metadata": {"name": "web"}})
    del web["metadata"]["uid"]
    cluster.keep(web)
    clearing, vacated = cleared(cluster)
    assert (clearing.left, clearing.notes, vacated) == ([], [], [set()])
    assert sum(one.startswith("delete virtualmachines") for one in cluster.requests) == 2
