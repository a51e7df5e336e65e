"""Guests watched from their item block on: what is seen of them, and where it is stored."""

import json
import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from stillpoint.actions.backup.evidence import cuts
from stillpoint.actions.item_block import virtual_machine_instance as block
from stillpoint.actions.watching import guests, observer, state
from stillpoint.actions.watching.guest import Holder, WatchedGuest
from stillpoint.evidence import observations
from stillpoint.evidence.console import State as Line
from stillpoint.evidence.document import Subject
from stillpoint.evidence.observations import Look, Observations, State, Thaw
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.model.reference import Resource
from stillpoint.resources.machines import pod
from stillpoint.velero.context import BackupContext
from tests.unit.actions.evidence.world import (
    BACKUP,
    CONSOLE,
    HELD,
    KEY,
    OVER,
    RELEASED,
    SHOP,
    claim,
    instance,
    launcher,
    line,
    machine,
    observing,
    snapshot,
    wait_until,
)
from tests.unit.contexts import NOW, Hands, backup_context
from tests.unit.dictionary_reader import DictionaryReader, MemoryStream

VELERO_SNAPSHOT = Holder(kinds.VOLUME_SNAPSHOT, "shop", "velero-db-root-x")


REFUSED = Forbidden("x", "cannot watch", "the account has no right")


def begun(context: BackupContext, of: Item | None = None) -> WatchedGuest:
    """The guest of the machine, watched from its item block on.

    Args:
        of: its instance; by default one that runs in `pod-db`.
    """
    block.related_items(of or instance(), context)
    watching = observer.of(context)
    assert watching
    guest = watching.guest("vmi-db")
    assert guest
    return guest


def stored(reader: DictionaryReader) -> Observations | None:
    [item] = [one for one in reader.objects if one["kind"] == "VolumeSnapshot"]
    return observations.observed(item, KEY)


def end(context: BackupContext) -> None:
    watching = observer.of(context)
    assert watching
    watching.end(10)


def test_the_block_of_a_guest_begins_to_watch_console_and_instance() -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    guest = begun(context)
    wait_until(lambda: {f"log {CONSOLE}", WATCH} <= set(reader.questions))
    seen = guest.observations
    assert (seen.machine, seen.namespace) == (Subject("VirtualMachine", "db", "vm-db"), "shop")
    assert (seen.is_before_hook, seen.has_hook, seen.has_console) == (True, True, True)
    assert (seen.began, NOW - seen.started) == (NOW, timedelta(minutes=1))
    assert guest.claims == {"db-root"}
    wait_until(lambda: guest.observations.watches)
    [span] = guest.observations.watches
    assert (span.start, guest.observations.version) == (NOW, "80")
    end(context)


WATCH = "watch virtualmachineinstances.kubevirt.io shop/db"


def test_only_lines_that_may_be_of_this_backup_are_asked_for_by_their_age() -> None:
    """The node measures it by its own clock, whatever that says, and the minute before is full."""
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    begun(context)
    wait_until(lambda: f"log {CONSOLE}" in reader.questions)
    end(context)
    assert reader.oldest_s == {CONSOLE: 10.0}
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    guests.begin_late(instance(), context)
    wait_until(lambda: f"log {CONSOLE}" in reader.questions)
    end(context)
    assert reader.oldest_s == {CONSOLE: 70.0}, "since the backup began: Velero's hook was before"


def test_a_guest_is_watched_when_nobody_else_has_it_frozen_any_more() -> None:
    """KubeVirt's status, seconds late, is still of the backup before."""
    frozen = instance(fsFreezeStatus="frozen")
    reader = DictionaryReader([frozen, *(one for one in SHOP if one["metadata"]["name"] != "db")])
    reader.watches["shop/db"] = MemoryStream([Change(frozen), Change({}), Change(instance())])
    context = observing(reader)
    [look] = begun(context).observations.looks
    assert not look.state.is_frozen
    end(context)


@pytest.mark.parametrize("after", [[], [Change(instance(), is_deleted=True)], [REFUSED]])
def test_a_guest_that_stays_frozen_is_watched_all_the_same(
    after: list[Change | Exception],
) -> None:
    """Then it is not known that nobody thaws it in the middle of this backup."""
    frozen = instance(fsFreezeStatus="frozen")
    reader = DictionaryReader([frozen, *(one for one in SHOP if one["metadata"]["name"] != "db")])
    stream: MemoryStream[Any] = MemoryStream([Change(frozen), *after])
    reader.watches["shop/db"] = stream
    stream.close()  # the time is over
    context = observing(reader)
    [look] = begun(context).observations.looks
    assert look.state.is_frozen
    end(context)


class Waited(DictionaryReader):
    """Guests that stay frozen: whoever waits for a change of one waits all of the time.

    Attributes:
        waits: the length of each, in seconds.
    """

    def __init__(self, objects: Sequence[Item], hands: Hands) -> None:
        super().__init__(objects)
        self.waits: list[float] = []
        self._hands = hands

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> MemoryStream[Change]:
        if longest_s > 60:
            return super().watch(resource, namespace, name, longest_s)
        self.waits.append(longest_s)
        self._hands.sleep(longest_s)
        over: MemoryStream[Change] = MemoryStream()
        over.close()
        return over


def test_guests_that_stay_frozen_hold_a_backup_up_for_a_minute_in_all() -> None:
    """Whoever may patch an instance writes its status: the guests of others are in the backup."""
    names = [f"db{number}" for number in range(20)]
    hands, status = Hands(), {"fsFreezeStatus": "frozen"}
    reader = Waited([launcher(name) for name in names], hands)
    context = observing(reader, hands=hands)
    for name in names:
        guests.begin(instance(name, **status), launcher(name), context)
    assert hands.now - NOW == timedelta(minutes=1)
    assert max(reader.waits) == 7
    watching = observer.of(context)
    assert watching
    assert all(watching.guest(f"vmi-{name}") for name in names)
    end(context)


def test_nobody_waits_for_a_guest_without_a_disk() -> None:
    hands = Hands()
    frozen, bare = instance(fsFreezeStatus="frozen"), launcher()
    frozen["spec"]["volumes"] = bare["spec"]["volumes"] = []
    guests.begin(frozen, bare, observing(Waited([bare], hands), hands=hands))
    assert hands.now == NOW


def test_nobody_waits_for_a_guest_that_is_watched_already() -> None:
    """It may be this backup that has frozen it."""
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    begun(context)
    wait_until(lambda: WATCH in reader.questions)
    reader.watches["shop/db"] = MemoryStream()
    reader.watches["shop/db"].close()
    guests.begin(instance(fsFreezeStatus="frozen"), launcher(), context)
    assert reader.questions.count(WATCH) == 1
    end(context)


def test_nobody_waits_for_a_guest_that_velero_does_not_freeze() -> None:
    frozen, bare = instance(fsFreezeStatus="frozen"), launcher()
    bare["metadata"]["annotations"] = {"kubevirt.io/domain": "db"}
    reader = DictionaryReader([frozen, bare])
    context = observing(reader)
    [look] = begun(context).observations.looks  # else it would wait for ever
    assert look.state.is_frozen
    end(context)


def test_what_somebody_wrote_into_a_status_takes_no_room() -> None:
    """Whoever may patch an instance may write a megabyte there, again and again."""
    long = "x" * 1_000_000
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": long}
        for kind in ("AgentConnected", "Paused")
    ]
    pods = {f"{number}{long[:900]}": "n1" for number in range(1_000)}
    seen = state.of(
        instance(
            phase=long,
            nodeName=long,
            activePods=pods,
            conditions=conditions,
            guestOSInfo={"id": long},
        )
    )
    texts = [*seen.launchers, seen.phase, seen.node, seen.agent_since, seen.paused_since, seen.os]
    assert sum(map(len, texts)) < 10_000


def test_a_block_that_is_asked_twice_begins_once() -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    assert begun(context) is begun(context)
    end(context)


LATER: Item = {"activePods": {"pod-later": "n2"}, "nodeName": "n2"}
"""Of the status of an instance that was migrated."""


def later_launcher() -> Item:
    found = launcher()
    labels = {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": "vmi-db"}
    named = {"name": "virt-launcher-db-later", "uid": "pod-later", "labels": labels}
    return {**found, "metadata": {**found["metadata"], **named}}


def test_a_guest_that_was_migrated_since_the_pods_were_listed_is_frozen_where_it_runs() -> None:
    reader = DictionaryReader([machine(), instance(**LATER), launcher(), claim(), snapshot()])
    context = observing(reader)
    context.cluster.list_grouped(pod.RESOURCE, "shop", pod.instances, pod.OF_MACHINES)
    reader.objects[2] = later_launcher()
    named = block.related_items(instance(**LATER), context)
    assert [one.name for one in named if one.resource == "pods"] == ["virt-launcher-db-later"]
    watching = observer.of(context)
    assert watching
    guest = watching.guest("vmi-db")
    assert guest
    assert guest.launcher == pod.RESOURCE.named("shop", "virt-launcher-db-later")
    assert guest.observations.has_hook is True
    end(context)


def left_by(container: str) -> Item:
    """The status of a pod of which one container has ended."""
    ended = {"name": container, "state": {"terminated": {"finishedAt": "2026-05-04T11:00:00Z"}}}
    return {"containerStatuses": [ended, {"name": "istio-proxy", "state": {"running": {}}}]}


def test_a_pod_that_says_its_guest_has_left_it_is_no_launcher_either() -> None:
    """It is the later one on the guest's node: its hook and its console would be the guest's."""
    second = it.with_value(later_launcher(), {"phase": "Running", **left_by("compute")}, "status")
    second = it.with_value(second, "2026-05-04T11:00:00Z", "metadata", "creationTimestamp")
    active: Item = {"activePods": {"pod-db": "n1", "pod-later": "n1"}}
    reader = DictionaryReader([machine(), instance(**active), launcher(), second, claim()])
    context = observing(reader)
    guest = begun(context, instance(**active))
    assert guest.launcher is None
    end(context)


def test_nobody_knows_of_a_hook_in_a_pod_that_the_guest_has_left() -> None:
    """Velero runs none in a pod that is gone, and counts none as failed."""
    reader = DictionaryReader([machine(), instance(**LATER), launcher(), claim(), snapshot()])
    context = observing(reader)
    guest = begun(context, instance(**LATER))
    assert guest.observations.has_hook is None
    end(context)


@pytest.mark.parametrize(
    ("other", "status", "known"),
    [
        pytest.param({}, {}, None, id="that runs"),
        pytest.param({"phase": "Succeeded"}, {}, True, id="of a migration that is over"),
        pytest.param(left_by("compute"), {}, True, id="that the guest has left, and istio has not"),
        pytest.param(left_by("another"), {}, None, id="that the guest has not left"),
        pytest.param({"phase": "Pending"}, {}, True, id="of a migration that waits for a node"),
        pytest.param({}, {"migrationState": {"startTimestamp": "t"}}, True, id="of a migration"),
    ],
)
def test_nobody_knows_hook_and_console_where_a_second_pod_passes_for_the_launcher(
    other: Item, status: Item, known: bool | None
) -> None:
    """Whoever makes it has it name the instance: its hook does nothing, and it prints holds."""
    second = it.with_value(later_launcher(), {"phase": "Running", **other}, "status")
    second = it.with_value(second, "n2" if other else "n1", "spec", "nodeName")
    first = it.with_value(launcher(), "n1", "spec", "nodeName")
    active = {"activePods": {"pod-db": "n1", "pod-later": "n1"}, **status}
    reader = DictionaryReader([machine(), instance(**active), first, second, claim()])
    context = observing(reader)
    guest = begun(context, instance(**active))
    assert guest.claims == {"db-root"}
    assert (guest.observations.has_hook, guest.observations.has_console) == (known, known)
    assert (guest.launcher is None) is (known is None)
    if known is None:
        assert not [one for one in reader.questions if one.startswith("log ")]
    end(context)


@pytest.mark.parametrize(
    ("policy", "has_hook"),
    [
        ("namespacedFilterPolicies: [{namespaces: [shop], resourceFilters: [{names: [a]}]}]", None),
        ("includeExcludePolicy: {excludedNamespaceScopedResources: [pods]}", False),
        ("includeExcludePolicy: {excludedNamespaceScopedResources: [secrets]}", True),
    ],
)
def test_nobody_knows_of_a_hook_in_a_pod_that_a_policy_of_names_may_leave_out(
    policy: str, has_hook: bool | None
) -> None:
    policies = {
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"policy": f"{{version: v1, {policy}}}"},
    }
    reader = DictionaryReader([*SHOP, policies])
    named = {"resourcePolicy": {"kind": "configmap", "name": "policies"}}
    context = observing(reader, {**BACKUP, "spec": named})
    assert begun(context).observations.has_hook is has_hook
    end(context)


AROUND = json.dumps(["/bin/sh", "-c", "/usr/bin/virt-freezer --freeze --name db || true"])
OF_BACKUP = {
    "resources": [{"name": "own", "pre": [{"exec": {"command": ["/freeze-by-hand"]}}], "post": []}]
}


@pytest.mark.parametrize(
    ("command", "hooks", "has_hook"),
    [
        (AROUND, {}, None),
        ("/bin/sync", OF_BACKUP, False),
        (None, OF_BACKUP, None),
        ("/bin/sync", {}, False),
        (None, {}, False),
    ],
)
def test_nobody_knows_what_a_freeze_of_somebody_s_own_reports(
    command: str | None, hooks: Item, has_hook: bool | None
) -> None:
    pod_ = launcher()
    name = "pre.hook.backup.velero.io/command"
    pod_["metadata"]["annotations"] = {
        **{key: one for key, one in it.annotations(pod_).items() if key != name},
        **({name: command} if command else {}),
    }
    reader = DictionaryReader([machine(), instance(), pod_, claim(), snapshot()])
    context = observing(reader, {**BACKUP, "spec": {"hooks": hooks}})
    assert begun(context).observations.has_hook is has_hook
    end(context)


def test_where_nothing_is_observed_no_thread_begins() -> None:
    reader, before = DictionaryReader(SHOP), set(threading.enumerate())
    context = backup_context({}, reader)
    block.related_items(instance(), context)
    assert observer.of(context) is None
    assert set(threading.enumerate()) <= before
    assert WATCH not in reader.questions


def test_lines_and_changes_are_kept_with_the_time_of_their_receipt() -> None:
    reader, hands = DictionaryReader(SHOP), Hands()
    context = observing(reader, hands=hands)
    guest = begun(context)
    wait_until(lambda: WATCH in reader.questions and f"log {CONSOLE}" in reader.questions)
    log, watch = reader.followed[CONSOLE], reader.watches["shop/db"]
    log.send(HELD)
    wait_until(lambda: guest.observations.lines and guest.observations.watches)
    hands.sleep(5)
    log.send(b"2026-05-04T12:00:04Z a prompt")
    log.send(HELD)  # a log that is read again has it again
    log.send(RELEASED)
    watch.send(Change(instance(fsFreezeStatus="frozen")))
    watch.send(Change({"metadata": {"resourceVersion": "9"}}))  # a sign of life
    watch.send(Change(instance(), is_deleted=True))
    wait_until(lambda: len(guest.observations.lines) == 2 and len(guest.observations.looks) == 3)
    wait_until(lambda: not guest.observations.version)  # noted after the look
    seen = guest.observations
    later = NOW + timedelta(seconds=5)
    assert [(one.line.state, one.received, one.is_live) for one in seen.lines] == [
        (Line.HELD, NOW, False),
        (Line.RELEASED, later, True),
    ]
    assert [(look.received, look.state.is_frozen, look.state.uid) for look in seen.looks] == [
        (NOW, False, "vmi-db"),
        (later, True, "vmi-db"),
        (later, False, ""),
    ]
    [span] = seen.watches
    assert (span.start, span.end, seen.version) == (NOW, later, "")
    end(context)


def test_what_was_seen_is_stored_once_when_the_hold_is_over() -> None:
    reader, hands = DictionaryReader(SHOP), Hands()
    reader.logs[CONSOLE] = [HELD, RELEASED, OVER]
    context = observing(reader, hands=hands)
    guest = begun(context)
    cuts.note_snapshot(snapshot(), claim(), context)
    wait_until(lambda: len(guest.observations.lines) == 3)
    assert stored(reader) is None
    hands.sleep(11)
    wait_until(lambda: stored(reader))
    seen = stored(reader)
    assert seen
    assert [one.line.state for one in seen.lines] == [Line.HELD, Line.RELEASED, Line.OVER]
    assert not any(one.is_live for one in seen.lines), "the log had them already"
    end(context)
    assert len([one for one in reader.questions if one.startswith("patch")]) == 2  # the cut, this


def test_what_a_copy_says_of_its_first_boot_is_nothing_of_this_backup() -> None:
    names: list[str] = []
    reader, hands = DictionaryReader(SHOP), Hands()
    reader.logs[CONSOLE] = [
        line("on-copy", record="r-0", outcome="done", machine="other", steps=0, failed=names),
        line("answers", record="r-0", took_s=2.0, yes=["db"], no=names, unasked=names),
        HELD,
    ]
    context = observing(reader, hands=hands)
    guest = begun(context)
    wait_until(lambda: guest.observations.lines)
    assert [one.line.state for one in guest.observations.lines] == [Line.HELD]
    end(context)


def test_the_end_of_the_process_stores_what_was_seen_so_far() -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    guest = begun(context)
    cuts.note_snapshot(snapshot(), claim(), context)
    wait_until(lambda: f"log {CONSOLE}" in reader.questions)
    reader.followed[CONSOLE].send(HELD)
    wait_until(lambda: guest.observations.lines)
    observer.end_all(10)
    seen = stored(reader)
    assert seen
    assert [one.line.state for one in seen.lines] == [Line.HELD]


def test_without_a_disk_there_is_nowhere_to_store_it() -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    begun(context)
    end(context)
    assert not reader.patches


def test_a_holder_that_is_gone_leaves_the_next_one() -> None:
    reader = DictionaryReader([*SHOP, {**snapshot("db-data"), "kind": "VolumeSnapshot"}])
    context = observing(reader)
    guest = begun(context)
    for name in ("velero-db-root-x", "velero-db-data-x"):
        guest.cut(Holder(kinds.VOLUME_SNAPSHOT, "shop", name), NOW, is_in_block=True)
    reader.refused = {"shop/velero-db-root-x"}
    end(context)
    assert set(reader.patches) == {"shop/velero-db-data-x"}


def test_a_missing_right_is_named_and_fails_nothing() -> None:
    class Refusing(DictionaryReader):
        def _ask(self, question: str) -> None:
            super()._ask(question)
            if question.startswith(("log", "watch virtualmachineinstances")):
                raise Forbidden("pods/log shop/db", "cannot get", "the account has no right")

    reader = Refusing(SHOP)
    context = observing(reader)
    guest = begun(context)
    wait_until(lambda: len(guest.observations.lacks) == 2)
    assert {one.code for one in guest.observations.lacks} == {"console-unread", "watch-failed"}
    assert all("no right" in one.says for one in guest.observations.lacks)
    end(context)


def test_a_fault_of_a_stream_is_told_and_named_by_the_evidence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    guest = begun(context)
    wait_until(lambda: WATCH in reader.questions)
    reader.watches["shop/db"].send(KeyError("x"))
    wait_until(lambda: guest.observations.lacks)
    [lack] = guest.observations.lacks
    assert (lack.code, lack.says) == ("watch-failed", "a fault of the plugin: KeyError: 'x'")
    assert "guest shop/db: a fault of the plugin: KeyError: 'x'" in caplog.text
    end(context)


class Faulty(WatchedGuest):
    def is_over(self, now: datetime) -> bool:
        raise KeyError(now)


def test_a_guest_that_cannot_be_looked_after_keeps_nobody_from_looking_after_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader, hands = DictionaryReader(SHOP), Hands()
    reader.logs[CONSOLE] = [HELD, RELEASED, OVER]
    context = observing(reader, hands=hands)
    watching = observer.of(context)
    assert watching
    first = Observations("shop", Subject("VirtualMachine", "web", "vm-web"), NOW, NOW)
    watching.watch("vmi-web", Faulty(first, ("shop", "web"), None, ["web-root"]))
    guest = begun(context)
    cuts.note_snapshot(snapshot(), claim(), context)
    wait_until(lambda: len(guest.observations.lines) == 3)
    hands.sleep(11)
    wait_until(lambda: stored(reader))
    told = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert [one.getMessage() for one in told] == [
        "guest shop/web is watched no more, by a fault of the plugin"
    ]
    end(context)


def test_a_stream_that_breaks_is_opened_again() -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    guest = begun(context)
    wait_until(lambda: WATCH in reader.questions)
    reader.watches.pop("shop/db").send(Forbidden("x", "cannot watch", "no right any more"))
    wait_until(lambda: guest.observations.lacks)
    end(context)


def test_a_guest_without_a_console_is_only_watched() -> None:
    objects = [one for one in SHOP if one["kind"] != "Pod"] + [launcher(has_console=False)]
    reader = DictionaryReader(objects)
    context = observing(reader)
    guest = begun(context)
    wait_until(lambda: WATCH in reader.questions)
    assert guest.observations.has_console is False
    assert not [one for one in reader.questions if one.startswith("log")]
    end(context)


def test_no_more_than_so_many_lines_and_looks_are_kept() -> None:
    guest = quiet()
    for number in range(100):
        guest.see(Look(NOW, State(uid=str(number))))
    assert len(guest.observations.looks) == observations.MOST_LOOKS
    assert guest.observations.dropped == 100 - observations.MOST_LOOKS


def quiet(*looks: Look) -> WatchedGuest:
    first = Observations("shop", Subject("VirtualMachine", "db", "1"), NOW, NOW, looks=looks)
    return WatchedGuest(first, ("shop", "db"), None, ["db-root"])


SECOND = timedelta(seconds=1)
FROZEN, THAWED = (State(uid="1", is_frozen=frozen) for frozen in (True, False))


def crowd(count: int, first: int = 0) -> list[Item]:
    names = [f"web-{number}" for number in range(first, first + count)]
    return [each for name in names for each in (instance(name), launcher(name))]


def lacks(context: BackupContext, name: str) -> set[str]:
    watching = observer.of(context)
    assert watching
    guest = watching.guest(f"vmi-{name}")
    assert guest
    return {one.code for one in guest.observations.lacks}


def test_one_guest_more_is_watched_in_place_of_the_oldest_without_a_disk() -> None:
    """Such as one whose disks are all copied as files."""
    more = crowd(64)
    reader = DictionaryReader([*SHOP, *more])
    context = observing(reader)
    for one in [instance(), *more]:
        if one["kind"] == "VirtualMachineInstance":
            block.related_items(one, context)
    assert lacks(context, "db") == {"too-many-watched"}
    wait_until(lambda: "watch virtualmachineinstances.kubevirt.io shop/web-63" in reader.questions)
    assert not any(lacks(context, f"web-{number}") for number in range(64))
    cuts.note_snapshot(snapshot(), claim(), context)
    end(context)
    seen = stored(reader)
    assert seen
    assert [one.code for one in seen.lacks] == ["too-many-watched"]


def test_a_guest_for_which_there_is_no_room_says_so() -> None:
    more = crowd(64)
    reader = DictionaryReader([*SHOP, *more])
    context = observing(reader)
    watching = observer.of(context)
    assert watching
    for one in more[::2]:
        block.related_items(one, context)
    for number in range(64):
        guest = watching.guest(f"vmi-web-{number}")
        assert guest
        guest.cut(VELERO_SNAPSHOT, NOW, is_in_block=True)
    begun(context)
    assert lacks(context, "db") == {"too-many-watched"}
    assert WATCH not in reader.questions
    end(context)


def test_a_guest_without_a_claim_is_not_watched() -> None:
    """Such as one whose disks are all in container images: no snapshot comes of them."""
    bare, bare_pod = instance(), launcher()
    bare["spec"]["volumes"] = []
    bare_pod["spec"]["volumes"] = []
    reader = DictionaryReader([bare, bare_pod])
    context = observing(reader)
    block.related_items(bare, context)
    watching = observer.of(context)
    assert watching
    assert watching.guest("vmi-db") is None
    assert WATCH not in reader.questions


def test_a_guest_without_a_disk_yet_is_watched_for_half_an_hour() -> None:
    guest = quiet()
    assert not guest.is_over(NOW + 1700 * SECOND)
    assert guest.is_over(NOW + 1801 * SECOND)


def test_a_frozen_guest_is_watched_until_it_was_seen_thawed() -> None:
    guest = quiet(Look(NOW, FROZEN))
    guest.cut(VELERO_SNAPSHOT, NOW, is_in_block=True)
    assert not guest.is_over(NOW + 200 * SECOND)
    guest.see(Look(NOW + 200 * SECOND, THAWED))
    assert not guest.is_over(NOW + 209 * SECOND)
    assert guest.is_over(NOW + 210 * SECOND)


def test_a_thaw_before_the_last_disk_ends_nothing() -> None:
    guest = quiet(Look(NOW, FROZEN))
    guest.see(Look(NOW + SECOND, THAWED))
    guest.cut(VELERO_SNAPSHOT, NOW + 2 * SECOND, is_in_block=True)
    assert not guest.is_over(NOW + 30 * SECOND)
    assert guest.is_over(NOW + 62 * SECOND)


def test_a_thaw_by_the_plugin_is_noted_with_the_look_before_it() -> None:
    reader, hands = DictionaryReader(SHOP), Hands()
    context = observing(reader, hands=hands)
    guest = begun(context)
    guests.note_look(instance(), instance(fsFreezeStatus="frozen"), NOW, context)
    guests.note_thaw(instance(), Thaw(NOW, None), context)
    seen = guest.observations
    assert seen.thaws == (Thaw(NOW, None),)
    assert [(look.asked, look.state.is_frozen) for look in seen.looks if look.asked] == [
        (NOW, True)
    ]
    end(context)


def test_a_fault_in_here_is_a_line_of_the_log_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    broken: Item = {**instance(), "status": {"activePods": 7, "phase": "Running"}}
    reader = DictionaryReader(SHOP)
    guests.begin(broken, None, observing(reader))
    assert "evidence of it is incomplete" in caplog.text


def test_lines_of_other_records_are_kept_too() -> None:
    reader = DictionaryReader(SHOP)
    reader.logs[CONSOLE] = [HELD, line("held", record="r-2", verdict="application", apps=[])]
    context = observing(reader)
    guest = begun(context)
    wait_until(lambda: len(guest.observations.lines) == 2)
    assert [one.line.id for one in guest.observations.lines] == ["r-1", "r-2"]
    end(context)
