"""A machine is tried: whatever happens, nothing is left, and nothing of anybody else is gone."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from stillpoint.model import kinds
from stillpoint.model.clock import Clock
from stillpoint.model.errors import MalformedItem, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.verification import leftovers, scratch, verdict
from stillpoint.verification.attempt import Attempt, Setting
from stillpoint.verification.clearing import GUEST_S
from stillpoint.verification.interruption import Interruption
from stillpoint.verification.model import Observed
from tests.unit.dictionary_reader import merged
from tests.unit.verification import machines
from tests.unit.verification.played import BEGAN, ORIGINAL, SNAPSHOT, Played, stored, volume

KEPT = {ORIGINAL, SNAPSHOT}


def observed(
    cluster: Played,
    interruption: Interruption | None = None,
    *,
    keeps_pod_network: bool = False,
    clock: Clock | None = None,
    moves_data: bool = False,
    originals: frozenset[str] = frozenset({f"csi disks.test {ORIGINAL}"}),
) -> Observed:
    setting = Setting(
        cluster=cluster,
        clock=clock or cluster.clock,
        interruption=interruption or Interruption(),
        run="run-1",
        velero="velero",
        backup="nightly",
        keeps_pod_network=keeps_pod_network,
        timeout_s=600,
        originals=originals,
        moves_data=moves_data,
        results=lambda _name: ["claims db-root: exceeded quota: small"],
        labels=lambda _namespace: {"pod-security.kubernetes.io/enforce": "baseline", "team": "a"},
    )
    return Attempt(setting, machines.machine(), stored(), lambda _step: None).observe()


def came_back(seen: Observed) -> str:
    return str(verdict.judge(machines.machine(), seen, machines.AT).came_back)


def test_a_good_machine_comes_back_and_leaves_nothing() -> None:
    cluster = Played()
    seen = observed(cluster)
    assert came_back(seen) == "application", seen
    assert [step.code for step in seen.steps][:3] == ["restore", "disks", "start"]
    assert {step.code for step in seen.steps[3:]} == {"agent", "record", "answers", "clear"}
    assert seen.steps[-1].code == "clear"
    assert not seen.left
    assert not cluster.left
    assert cluster.storage == KEPT
    assert len(cluster.requests) <= 24 + 3 * 1, "three for its disk"


def test_a_run_with_a_wrong_clock_is_never_taken_for_a_killed_one() -> None:
    cluster = Played()
    wrong = Clock(lambda: cluster.now - timedelta(days=1), cluster.clock.sleep)
    ends: list[datetime] = []

    def look(_number: int) -> None:
        with cluster.lock:
            made = [one for key, one in cluster.objects.items() if key[0] == "Namespace"]
            ends.extend(filter(None, map(scratch.until, made)))

    cluster.on_request = look
    observed(cluster, clock=wrong)
    assert set(ends) == {BEGAN + timedelta(seconds=600, minutes=30)}


def requests_of_a_good_one() -> int:
    cluster = Played()
    observed(cluster)
    return len(cluster.requests)


NUMBERS = range(1, requests_of_a_good_one() + 1)


@pytest.mark.parametrize("at", NUMBERS)
@pytest.mark.parametrize("reclaim", ["Delete", "Retain"])
def test_nothing_is_left_whenever_it_is_interrupted(at: int, reclaim: str) -> None:
    cluster, interruption = Played(), Interruption()
    cluster.reclaim = reclaim
    cluster.on_request = lambda number: interruption.come() if number == at else None
    seen = observed(cluster, interruption)
    assert not seen.left
    assert not cluster.left
    assert cluster.storage == KEPT


@pytest.mark.parametrize("at", NUMBERS)
@pytest.mark.parametrize("is_done", [False, True])
def test_what_is_left_after_a_failed_request_is_told(at: int, is_done: bool) -> None:
    """The cluster is not there for one request, which may have been carried out all the same."""
    cluster = failing(Played(), lambda number: number == at, is_done=is_done)
    seen = observed(cluster)
    told = " ".join(seen.left)
    for kind, _namespace, name in cluster.left:
        assert kind not in ("Namespace", "Restore") or name in told
    assert bool(cluster.left) <= bool(seen.left)
    assert cluster.storage >= KEPT
    cluster.on_request = lambda _number: None
    clean_up(cluster)
    assert cluster.storage >= KEPT
    assert not [key for key in cluster.left if key[0] == "Namespace"]


class Fault(Exception):
    """Nobody foresaw it."""


@pytest.mark.parametrize("at", NUMBERS)
@pytest.mark.parametrize("error", [Fault("it"), MalformedItem("it", "field", "a text", 1)])
def test_what_is_left_after_a_fault_is_told(at: int, error: Exception) -> None:
    cluster = Played()

    def fail(number: int) -> None:
        if number == at:
            raise error

    cluster.on_request = fail
    seen = observed(cluster)
    told = " ".join(seen.left)
    for kind, _namespace, name in cluster.left:
        assert kind not in ("Namespace", "Restore") or name in told
    assert bool(cluster.left) <= bool(seen.left)
    assert cluster.storage >= KEPT


def test_a_restore_that_comes_late_is_deleted() -> None:
    """Its creation failed for the command, and is carried out when its namespace has gone."""
    cluster = Played()
    create, late = cluster.create, []

    def slow(resource: Resource, item: Item) -> Item | None:
        if resource.kind != "Restore":
            return create(resource, item)
        late.append(item)
        raise Unreachable("the Restore", "cannot create it", "no answer")

    def come(_number: int) -> None:
        is_gone = not any("verify" in key[2] for key in cluster.objects if key[0] == "Namespace")
        if late and is_gone:
            cluster.keep(late.pop())

    cluster.create = slow  # type: ignore[method-assign]
    cluster.on_request = come
    seen = observed(cluster)
    assert not late
    assert not cluster.left
    assert not seen.left
    assert not seen.is_tried


class Killed(SystemExit):
    """Ends each thread of a run where it is: no request comes after it."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("at", NUMBERS)
def test_what_a_killed_run_has_left_is_cleaned_up_later(at: int) -> None:
    cluster, interruption = Played(), Interruption()

    def kill(number: int) -> None:
        if number >= at:
            interruption.come()  # wakes who waits for a thread
            raise Killed

    cluster.on_request = kill
    with pytest.raises(Killed):
        observed(cluster, interruption)
    cluster.on_request = lambda _number: None
    assert cluster.storage >= KEPT
    clean_up(cluster)
    assert not [key for key in cluster.left if key[0] in ("Namespace", "Restore")]
    assert cluster.storage >= KEPT


def test_a_volume_that_is_to_stay_stays_after_a_killed_run() -> None:
    """Who forges what a killed run leaves must not lose by it what he wants to keep."""
    cluster, interruption = Played(), Interruption()
    cluster.reclaim = "Retain"

    def restored(restore: Item) -> Iterator[Item]:
        for item in cluster.machine(restore):
            if item["kind"] == "PersistentVolume":
                claim = cluster.objects[claim_key(restore)]
                name = f"pvc-{claim['metadata']['uid']}"
                cluster.keep({**claim, "spec": {**claim["spec"], "volumeName": name}})
                yield {**item, "metadata": {"name": name}}
            else:
                yield item

    def kill(number: int) -> None:
        if cluster.requests[number - 1].startswith("delete restores"):
            raise Killed

    cluster.restored = restored
    cluster.on_request = kill
    with pytest.raises(Killed):
        observed(cluster, interruption)
    cluster.on_request = lambda _number: None
    later = cluster.now.replace(hour=23)
    [one] = leftovers.find(cluster, lambda: later)
    [clearing] = leftovers.clear(cluster, [one], cluster.clock, lambda *_of: None)
    left = clearing.left
    assert "stays, as it is to" in " ".join(left)
    assert "volume-new" in cluster.storage
    assert [key[0] for key in cluster.left] == ["PersistentVolume"]


def clean_up(cluster: Played) -> None:
    cluster.look()
    assert leftovers.find(cluster, lambda: cluster.now) == [], "its run may go on"
    later = cluster.now.replace(hour=23)
    found = leftovers.find(cluster, lambda: later)
    leftovers.clear(cluster, found, cluster.clock, lambda *_of: None)


def failing(cluster: Played, fails: Callable[[int], bool], *, is_done: bool) -> Played:
    """The cluster, of which the answers to some requests are lost.

    Args:
        is_done: whether the request is carried out.
    """
    if not is_done:

        def refuse(number: int) -> None:
            if fails(number):
                raise Unreachable("it", "cannot do it", "no answer")

        cluster.on_request = refuse
        return cluster
    for verb in ("create", "patch", "delete"):
        setattr(cluster, verb, lossy(cluster, getattr(cluster, verb), fails))
    return cluster


def lossy(
    cluster: Played, do: Callable[..., object], fails: Callable[[int], bool]
) -> Callable[..., object]:
    def done(*arguments: object, **options: object) -> object:
        result = do(*arguments, **options)
        if fails(len(cluster.requests)):
            raise Unreachable("it", "cannot do it", "no answer")
        return result

    return done


def bound_to(handle: str, *, name: str = "pv-again", reclaim: str = "Retain") -> Played:
    """A cluster whose Velero restores a volume as it was, beside the claim."""
    cluster = Played()

    def restored(restore: Item) -> Iterator[Item]:
        for item in cluster.machine(restore):
            if item["kind"] == "PersistentVolume":
                claim = cluster.claim_of(cluster.objects[claim_key(restore)])
                yield volume(handle, "pv-new", claim, reclaim)
            else:
                yield item

    cluster.restored = restored
    del name
    return cluster


def of_somebody(cluster: Played, kind: str, labels: Item) -> Callable[[Item], Iterator[Item]]:
    """What Velero restores, of which somebody else has created the objects of one kind."""

    def restored(restore: Item) -> Iterator[Item]:
        for item in cluster.machine(restore):
            is_one = item["kind"] == kind
            yield {**item, "metadata": {**item["metadata"], "labels": labels}} if is_one else item

    return restored


def claim_key(restore: Item) -> tuple[str, str, str]:
    return "PersistentVolumeClaim", restore["metadata"]["name"], "db-root"


OF_CDI = {"dataSourceRef": {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource"}}


@pytest.mark.parametrize("filled", [{}, OF_CDI])
def test_a_disk_that_the_restore_did_not_bring_is_missing(filled: Item) -> None:
    """CDI makes the claim of a DataVolume again, from the image of long ago."""
    cluster = Played()
    made = cluster.restored

    def restored(restore: Item) -> Iterator[Item]:
        yield from made(restore)
        claim = cluster.objects[claim_key(restore)]
        labels = claim["metadata"]["labels"] if filled else {"app": "containerized-data-importer"}
        metadata = {**claim["metadata"], "labels": labels}
        yield {**claim, "metadata": metadata, "spec": {**claim["spec"], **filled}}

    cluster.restored = restored
    seen = observed(cluster)
    assert came_back(seen) == "not"
    assert "claims are missing: db-root; not by the Restore: db-root" in seen.failure
    assert not any(request.startswith("patch virtualmachines") for request in cluster.requests)
    assert not seen.left
    assert cluster.storage == KEPT


def test_an_error_of_its_restore_is_told_of_a_machine_that_came_back() -> None:
    cluster = Played()
    cluster.errors = 1
    seen = observed(cluster)
    assert came_back(seen) == "application"
    assert seen.notes == ("an error of its Restore: claims db-root: exceeded quota: small",)


def test_every_claim_of_the_namespace_is_proven() -> None:
    """A memory dump is no disk, and written to all the same."""
    cluster = Played()
    made = cluster.restored

    def restored(restore: Item) -> Iterator[Item]:
        yield from made(restore)
        claim = cluster.objects[claim_key(restore)]
        metadata = {"namespace": restore["metadata"]["name"], "labels": {}, "name": "dump"}
        specification = {**claim["spec"], "volumeName": "pv-original"}
        yield {**claim, "metadata": metadata, "spec": specification}

    cluster.restored = restored
    seen = observed(cluster)
    assert not seen.is_tried
    assert "it must not run, for of claim dump: volume pv-original" in seen.failure
    assert cluster.storage >= KEPT


def writing(cluster: Played, writes: int, change: Item) -> Callable[[int], None]:
    """Somebody writes to the machine just before its first changes."""
    left = writes

    def write(number: int) -> None:
        nonlocal left
        if left and cluster.requests[number - 1].startswith("patch virtualmachines"):
            left -= 1
            [key] = [key for key in cluster.objects if key[0] == "VirtualMachine"]
            cluster.keep(merged(cluster.objects[key], change))

    return write


@pytest.mark.parametrize(("writes", "is_well"), [(1, True), (2, True), (3, False)])
def test_kubevirt_writes_to_the_machine_as_it_is_secured(writes: int, is_well: bool) -> None:
    cluster = Played()
    cluster.on_request = writing(cluster, writes, {"status": {"printableStatus": "Stopped"}})
    seen = observed(cluster)
    assert came_back(seen) == ("application" if is_well else "not tried"), seen
    assert not seen.left


@pytest.mark.parametrize(("writes", "is_well"), [(1, True), (2, True), (3, False)])
def test_kubevirt_writes_to_the_machine_as_it_is_started(writes: int, is_well: bool) -> None:
    cluster = Played()
    write = writing(cluster, writes, {"status": {"printableStatus": "Stopped"}})
    cluster.on_request = lambda number: write(number) if is_secured(cluster) else None
    seen = observed(cluster)
    assert came_back(seen) == ("application" if is_well else "not tried"), seen


GPU = {"spec": {"template": {"spec": {"domain": {"devices": {"gpus": [{"name": "a100"}]}}}}}}


def is_secured(cluster: Played) -> bool:
    return any(request.startswith("delete resourcequotas") for request in cluster.requests)


@pytest.mark.parametrize("when", [lambda _cluster: True, is_secured])
def test_who_makes_the_machine_reach_further_meanwhile_keeps_it_from_starting(
    when: Callable[[Played], bool],
) -> None:
    cluster = Played()
    write = writing(cluster, 1, GPU)
    cluster.on_request = lambda number: write(number) if when(cluster) else None
    seen = observed(cluster)
    assert not seen.is_tried
    assert "a100 is a device of the node" in seen.failure
    assert not any("virtualmachineinstances" in request for request in cluster.requests)


def test_what_a_webhook_adds_to_the_secured_machine_keeps_it_from_starting() -> None:
    cluster = Played()
    patch = cluster.patch

    def with_webhook(resource: Resource, namespace: str, name: str, change: Item) -> Item:
        return patch(resource, namespace, name, merged(change, GPU))

    cluster.patch = with_webhook  # type: ignore[assignment, method-assign]
    seen = observed(cluster)
    assert "a100 is a device of the node" in seen.failure
    assert sum(request.startswith("patch virtualmachines") for request in cluster.requests) == 1


@pytest.mark.parametrize("reclaim", ["Retain", "Delete"])
@pytest.mark.parametrize("is_alive", [True, False])
def test_the_volume_of_the_original_is_neither_started_from_nor_deleted(
    reclaim: str, is_alive: bool
) -> None:
    cluster = bound_to(ORIGINAL, reclaim=reclaim)
    if not is_alive:
        cluster.drop(("PersistentVolume", "", "pv-original"))
    seen = observed(cluster)
    assert not seen.is_tried
    assert "pv-new" in seen.failure
    assert not any(request.startswith("patch virtualmachines") for request in cluster.requests)
    assert cluster.storage >= KEPT
    assert [key for key in cluster.left if key[0] != "PersistentVolume"] == []
    assert "pv-new" in " ".join(seen.left)


@pytest.mark.parametrize("labels", [{"velero.io/restore-name": "of-another"}, {}, None])
def test_a_snapshot_of_the_backup_never_goes_with_the_namespace(labels: Item | None) -> None:
    """Whoever has created the object that names it."""
    cluster = Played()
    cluster.policy = "Delete"
    if labels is not None:
        cluster.restored = of_somebody(cluster, "VolumeSnapshotContent", labels)
    seen = observed(cluster)
    assert cluster.storage >= KEPT
    assert "would take a snapshot of the backup with it" in " ".join(seen.left)
    assert [key[0] for key in cluster.left if key[0] == "Namespace"]


GIVEN_UP = [
    "list volumesnapshotcontents",
    "list persistentvolumeclaims",
    "watch namespaces",
    "delete namespaces",
]


@pytest.mark.parametrize("request_", ["", *GIVEN_UP])
def test_the_guest_of_a_namespace_that_stays_is_ended(request_: str) -> None:
    """It came back as expected, and would keep its room from the next machine."""
    cluster = Played()
    if not request_:
        cluster.policy = "Delete"
    fail_when_seen(cluster, request_)
    seen = observed(cluster)
    assert came_back(seen) == "application", seen
    [left] = seen.left
    assert left.startswith("namespace stillpoint-verify-")
    [machine] = [one for key, one in cluster.objects.items() if key[0] == "VirtualMachine"]
    assert machine["spec"]["runStrategy"] == "Halted"


def test_a_guest_that_may_run_on_in_a_namespace_that_stays_is_told() -> None:
    cluster = Played()
    fail_when_seen(cluster, "list volumesnapshotcontents")
    fail_when_seen(cluster, "patch virtualmachines")
    seen = observed(cluster)
    [_namespace, guest] = seen.left
    [name] = [key[2] for key in cluster.left if key[0] == "Namespace"]
    assert guest == (
        f"the guest of virtual machine {name}/db may run on: it: cannot do it: HTTP 500: etcd; "
        f"HINT: virtctl stop db -n {name}"
    )


def test_the_machine_of_somebody_else_is_not_ended() -> None:
    cluster = Played()

    def replace(number: int) -> None:
        if cluster.requests[number - 1].startswith("list volumesnapshotcontents"):
            [key] = [one for one in cluster.objects if one[0] == "VirtualMachine"]
            item: Item = cluster.objects[key]
            cluster.drop(key)
            cluster.keep({**item, "metadata": {"namespace": key[1], "name": key[2]}})
            raise Unreachable("it", "cannot do it", "HTTP 500: etcd")

    cluster.on_request = replace
    seen = observed(cluster)
    [machine] = [one for key, one in cluster.objects.items() if key[0] == "VirtualMachine"]
    assert machine["spec"]["runStrategy"] == "Once"
    assert "may run on: db: cannot patch: HTTP 409" in seen.left[1]


def test_a_guest_that_does_not_end_keeps_its_room_for_no_more_than_a_while() -> None:
    cluster = Played()
    cluster.policy = "Delete"

    def run(number: int) -> None:
        if cluster.requests[number - 1].startswith("list volumesnapshotcontents"):
            [key] = [one for one in cluster.objects if one[0] == "VirtualMachine"]
            cluster.keep({**cluster.objects[key], "status": {"created": True}})
            cluster.never = {"VirtualMachine"}

    cluster.on_request = run
    seen = observed(cluster)
    assert "may run on: not in time" in seen.left[1]
    watched = [one for one in cluster.requests if one.startswith("watch virtualmachines ")]
    assert len(watched) == 1
    assert timedelta(seconds=GUEST_S) <= cluster.now - BEGAN < timedelta(seconds=GUEST_S + 30)


def fail_when_seen(cluster: Played, request: str) -> None:
    """Those requests fail when the guest was looked at."""

    def fail(number: int) -> None:
        before(number)
        has_ended = any(one.startswith("log pods") for one in cluster.requests)
        if request and has_ended and cluster.requests[number - 1].startswith(request):
            raise Unreachable("it", "cannot do it", "HTTP 500: etcd")

    before, cluster.on_request = cluster.on_request, fail


def test_a_namespace_of_somebody_else_stays() -> None:
    cluster = Played()

    def take_over(number: int) -> None:
        if cluster.requests[number - 1].startswith("patch virtualmachines") and number:
            [name] = [key[2] for key in cluster.objects if key[2].startswith("stillpoint-verify-")][
                :1
            ]
            cluster.keep({"kind": "Namespace", "metadata": {"name": name, "labels": {}}})

    cluster.on_request = take_over
    seen = observed(cluster)
    assert any(key[0] == "Namespace" for key in cluster.left)
    assert "not of this run any more" in " ".join(seen.left)


@pytest.mark.parametrize("keeps", [True, False])
def test_the_machine_that_starts_reaches_nothing(keeps: bool) -> None:
    cluster, seen_when_started = Played(), []
    start = cluster.start

    def started(machine: Item) -> None:
        seen_when_started.append((machine, [*cluster.objects]))
        start(machine)

    cluster.start = started  # type: ignore[method-assign]
    assert came_back(observed(cluster, keeps_pod_network=keeps)) == "application"
    [(machine, objects)] = seen_when_started
    template = machine["spec"]["template"]
    devices = template["spec"]["domain"]["devices"]
    assert devices["autoattachPodInterface"] is keeps
    assert len(devices.get("interfaces", ())) == len(template["spec"].get("networks", ())) == keeps
    assert template["metadata"]["annotations"] == {"vm.kubevirt.io/os": "linux"}
    assert "priorityClassName" not in template["spec"]
    assert template["spec"]["terminationGracePeriodSeconds"] == 0
    assert [key[0] for key in objects if key[0] == "NetworkPolicy"]
    [namespace] = [one for one in cluster.requests if one.startswith("create namespaces")]
    assert namespace


def test_nothing_else_is_deleted_while_velero_may_create_objects() -> None:
    """Velero creates a namespace again that it misses, without our quota and label."""
    cluster = Played()
    cluster.phase = "InProgress"
    cluster.never = {"Restore"}
    cluster.kept = {"Restore"}
    seen = observed(cluster)
    assert "Velero did not restore it in time" in seen.failure
    assert not seen.is_tried
    assert {key[0] for key in cluster.left} >= {"Namespace", "ResourceQuota", "Restore"}
    assert "its Restore is InProgress" in " ".join(seen.left)
    cluster.kept = set()
    clean_up(cluster)
    assert not [key for key in cluster.left if key[0] in ("Namespace", "Restore")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": {"networks": [{"name": "lan", "multus": {}}]}}, "in the network lan"),
        (
            {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": "lan/blue"}}},
            "has the annotation k8s.v1.cni.cncf.io/networks",
        ),
    ],
)
def test_a_guest_that_would_reach_further_is_ended_at_its_first_sight(
    change: Item, said: str
) -> None:
    cluster = Played()
    cluster.instance = change
    seen = observed(cluster)
    assert (seen.is_tried, said in seen.failure) == (False, True), seen
    patches = [one for one in cluster.requests if one.startswith("patch virtualmachines")]
    assert len(patches) == 3, "secured, started, ended"
    assert not cluster.left


def test_a_guest_that_never_starts() -> None:
    cluster = Played()
    cluster.never = {"VirtualMachineInstance"}
    seen = observed(cluster)
    assert came_back(seen) == "not"
    assert "not all was seen in time" in seen.failure
    assert not cluster.left


def test_a_guest_that_the_cluster_has_no_room_for_says_nothing_of_the_backup() -> None:
    cluster = Played()
    reason = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    cluster.instance = {
        "status": {"phase": "Failed", "conditions": [{**reason, "message": "0/3 nodes"}]}
    }
    seen = observed(cluster)
    assert came_back(seen) == "not tried"
    assert "Unschedulable: 0/3 nodes" in seen.failure
    assert not cluster.left


def test_a_restore_that_velero_refuses_says_nothing_of_the_backup() -> None:
    cluster = Played()
    cluster.phase = "FailedValidation"
    cluster.restored = lambda _restore: iter(())
    assert came_back(observed(cluster)) == "not tried"
    assert not cluster.left


@pytest.mark.parametrize(("errors", "expected"), [(1, "not tried"), (0, "not")])
def test_a_machine_that_was_not_created(errors: int, expected: str) -> None:
    """The errors of the Restore speak of a quota."""
    cluster = Played()
    cluster.errors = errors
    cluster.restored = lambda _restore: iter(())
    seen = observed(cluster)
    assert came_back(seen) == expected, seen
    assert ("exceeded quota" in seen.failure) == bool(errors)
    assert not cluster.left


def test_nothing_starts_if_more_than_the_machine_came_back() -> None:
    """As by a Velero without our plugin, which does not know what `only` means."""
    cluster = Played()

    def restored(restore: Item) -> Iterator[Item]:
        for item in cluster.machine(restore):
            yield item
            if item["kind"] == "VirtualMachine":
                yield {**item, "metadata": {**item["metadata"], "name": "web"}}

    cluster.restored = restored
    seen = observed(cluster)
    assert (came_back(seen), "web" in seen.failure) == ("not tried", True)
    assert not any(one.startswith("patch virtualmachines") for one in cluster.requests)
    assert not cluster.left


def test_a_machine_that_somebody_else_created_there_is_not_started() -> None:
    cluster = Played()

    def restored(restore: Item) -> Iterator[Item]:
        for item in cluster.machine(restore):
            if item["kind"] == "VirtualMachine":
                yield {**item, "metadata": {**item["metadata"], "labels": {}}}
            else:
                yield item

    cluster.restored = restored
    assert "somebody else created" in observed(cluster).failure
    assert not any(one.startswith("patch virtualmachines") for one in cluster.requests)
    assert not cluster.left


@pytest.mark.parametrize("is_going", [False, True])
def test_who_deletes_the_instance_says_nothing_of_the_backup(is_going: bool) -> None:
    """As does a clean-up, long after the time of a run that somebody has put to sleep."""
    cluster = Played()
    cluster.lines = ()

    def delete(number: int) -> None:
        if cluster.requests[number - 1].startswith("log "):
            [key] = [key for key in cluster.objects if key[0] == "VirtualMachineInstance"]
            going = {"metadata": {"deletionTimestamp": "2026-11-27T06:01:00Z"}}
            ended = {**going, "status": {"phase": "Succeeded"}}
            if is_going:
                cluster.keep(merged(cluster.objects[key], ended))
            else:
                cluster.drop(key)

    cluster.on_request = delete
    seen = observed(cluster)
    assert came_back(seen) == "not tried"
    assert seen.failure == "somebody deleted its instance"


def test_who_deletes_the_namespace_says_nothing_of_the_backup() -> None:
    cluster = Played()

    def delete(number: int) -> None:
        if cluster.requests[number - 1].startswith("list persistentvolumeclaims"):
            [name] = [one[2] for one in cluster.left if one[0] == "Namespace"]
            cluster.on_request = lambda _number: None
            cluster.delete(kinds.NAMESPACE, "", name)
            cluster.look()

    cluster.on_request = delete
    seen = observed(cluster)
    assert came_back(seen) == "not tried"
    assert seen.failure == "somebody deleted its namespace: claims are missing: db-root"
