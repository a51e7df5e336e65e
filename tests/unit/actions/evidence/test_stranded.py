"""Guests that were migrated or paused while frozen, whom neither hook nor timer thaws."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from stillpoint.actions.backup.evidence import machine as evidence
from stillpoint.actions.item_block import virtual_machine_instance as block
from stillpoint.actions.watching import observer, state, stranded
from stillpoint.actions.watching.guest import Holder, WatchedGuest
from stillpoint.evidence.document import Span
from stillpoint.evidence.observations import Look, Observations, Thaw
from stillpoint.model import kinds
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.velero.context import BackupContext
from tests.unit.actions.evidence.test_conclusion import ID, annotated, cut, seen
from tests.unit.actions.evidence.world import (
    ENDED,
    claim,
    instance,
    launcher,
    machine,
    observing,
    snapshot,
    wait_until,
)
from tests.unit.contexts import NOW, Hands
from tests.unit.dictionary_reader import DictionaryReader

PUT = "put virtualmachineinstances.subresources.kubevirt.io shop/db/unfreeze"
SECOND = timedelta(seconds=1)
ELSEWHERE: Item = {"nodeName": "n2", "activePods": {"pod-later": "n2"}}
STRANDED: Item = {**ELSEWHERE, "fsFreezeStatus": "frozen"}
SNAPSHOT = Holder(kinds.VOLUME_SNAPSHOT, "shop", "velero-db-root-x")


class Cluster(DictionaryReader):
    """A guest that moves, and that may be thawed or not."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__([machine(), instance(), launcher(), claim(), snapshot()])
        self.refusals = refusals

    def becomes(self, **status: Any) -> None:
        [place] = [
            place
            for place, one in enumerate(self.objects)
            if one["kind"] == "VirtualMachineInstance"
        ]
        self.objects[place] = instance(**status)
        if stream := self.watches.get("shop/db"):
            stream.send(Change(self.objects[place]))

    def thaws(self) -> int:
        return self.questions.count(PUT)

    def _ask(self, question: str) -> None:
        super()._ask(question)
        if question == PUT and self.refusals:
            self.refusals -= 1
            raise Forbidden("shop/db", "cannot update", "the account has no right", "grant it")


def watched(reader: Cluster, hands: Hands) -> tuple[BackupContext, WatchedGuest]:
    """A guest in its item block, looked after more often than once a second."""
    context = observing(reader, hands=hands)
    block.related_items(instance(), context)
    watching = observer.of(context)
    assert watching
    guest = watching.guest("vmi-db")
    assert guest
    wait_until(lambda: "shop/db" in reader.watches)
    return context, guest


@pytest.fixture(autouse=True)
def _quick() -> Any:
    with mock.patch.object(observer, "_LOOK_S", 0.01):
        yield


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [one for one in caplog.records if one.levelno >= logging.WARNING]


def end(context: BackupContext) -> None:
    watching = observer.of(context)
    assert watching
    watching.end(10)


def test_a_guest_that_was_migrated_while_frozen_is_thawed_when_its_disks_are_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader, hands = Cluster(), Hands()
    context, guest = watched(reader, hands)
    reader.becomes(**STRANDED)
    wait_until(lambda: guest.now.node == "n2")
    assert not reader.thaws()
    guest.cut(SNAPSHOT, NOW, is_in_block=True)
    wait_until(lambda: guest.observations.thaws)
    assert guest.observations.thaws == (Thaw(NOW, NOW),)
    hands.sleep(60)
    assert reader.thaws() == 1
    wait_until(lambda: warnings(caplog))
    [told] = warnings(caplog)
    assert told.getMessage().startswith("guest shop/db was migrated or paused while frozen")
    end(context)


def test_one_whose_disks_do_not_come_stands_still_no_longer_than_by_kubevirt_s_timer() -> None:
    """Its block waited for others before Velero froze it: only then the time begins."""
    reader, hands = Cluster(), Hands()
    context, guest = watched(reader, hands)
    hands.sleep(299)
    reader.becomes(**STRANDED)
    wait_until(lambda: guest.now.node == "n2")
    hands.sleep(299)
    assert not stranded.is_forgotten(guest.observations, hands.now)
    hands.sleep(1)
    wait_until(lambda: guest.observations.thaws)
    [thaw] = guest.observations.thaws
    end(context)
    assert thaw.sent - NOW == timedelta(seconds=599)


def test_a_backup_that_may_need_it_frozen_holds_it_no_longer_than_kubevirt_s_timer() -> None:
    """One of a Velero that is no more goes on for ever, and whoever may write Backups makes one."""
    reader, hands = Cluster(), Hands()
    reader.objects.append(OTHER_BACKUP)
    context, guest = watched(reader, hands)
    guest.cut(SNAPSHOT, NOW, is_in_block=True)
    reader.becomes(**STRANDED)
    wait_until(lambda: "list backups.velero.io velero" in reader.questions)
    hands.sleep(299)
    assert not reader.thaws()
    hands.sleep(11)  # it may have tried just before
    wait_until(reader.thaws)
    end(context)


def test_a_thaw_that_fails_is_an_error_with_its_remedy_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader, hands = Cluster(refusals=2), Hands()
    context, guest = watched(reader, hands)
    reader.becomes(**STRANDED)
    guest.cut(SNAPSHOT, NOW, is_in_block=True)
    wait_until(reader.thaws)
    for _attempt in range(2):
        before = reader.thaws()
        hands.sleep(10)
        wait_until(lambda: reader.thaws() > before)  # noqa: B023 - called in this turn
    wait_until(lambda: guest.observations.thaws)
    [error] = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert error.startswith("guest shop/db stands still: it was migrated or paused while it was")
    assert "the account has no right" in error
    assert error.endswith(
        "HINT: kubectl replace --raw /apis/subresources.kubevirt.io/v1/namespaces/shop/"
        "virtualmachineinstances/db/unfreeze -f /dev/null"
    )
    end(context)


PAUSED: Item = {
    "fsFreezeStatus": "frozen",
    "conditions": [*instance()["status"]["conditions"], {"type": "Paused", "status": "True"}],
}


def test_one_that_was_paused_while_frozen_is_thawed_when_it_is_resumed() -> None:
    reader, hands = Cluster(), Hands()
    context, guest = watched(reader, hands)
    guest.cut(SNAPSHOT, NOW, is_in_block=True)
    reader.becomes(**PAUSED)
    wait_until(lambda: guest.now.paused_since)
    hands.sleep(30)
    assert not reader.thaws()
    reader.becomes(fsFreezeStatus="frozen")
    wait_until(reader.thaws)
    end(context)


def test_one_that_is_paused_still_after_the_backup_is_an_error_with_the_command() -> None:
    reader = Cluster()
    reader.becomes(**PAUSED)
    found = concluded(reader)
    assert not reader.thaws()
    assert "its agent does not answer before it is resumed; HINT: kubectl replace" in found.error


def test_one_that_was_paused_without_a_freeze_is_no_error() -> None:
    reader = Cluster()
    reader.becomes(conditions=PAUSED["conditions"])
    assert not concluded(reader).error


FROZEN_AT_FIRST = Look(NOW, state.of(instance(fsFreezeStatus="frozen")))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param({}, {"fsFreezeStatus": "frozen"}, id="where it was, the hook thaws it"),
        pytest.param({}, ELSEWHERE, id="thawed before it was migrated"),
        pytest.param({}, {**STRANDED, "phase": "Succeeded"}, id="over"),
        pytest.param(
            {}, {**STRANDED, "migrationState": {"sourceNode": "n1"}}, id="still being migrated"
        ),
        pytest.param({"is_before_hook": False}, STRANDED, id="first seen after the hook"),
        pytest.param({"has_hook": False}, STRANDED, id="no hook of Velero freezes it"),
        pytest.param({"looks": ()}, STRANDED, id="nothing was seen of it"),
        pytest.param({"looks": (FROZEN_AT_FIRST,)}, STRANDED, id="frozen before this backup"),
        pytest.param({"thaws": (Thaw(NOW, NOW),)}, STRANDED, id="frozen anew after our thaw"),
        pytest.param(
            {"looks": (Look(NOW, state.of(instance())), FROZEN_AT_FIRST,
                       Look(NOW, state.of(instance())))},
            STRANDED,
            id="frozen anew after another thaw",
        ),
    ],
)  # fmt: skip
def test_no_other_guest_is_stranded(before: dict[str, Any], now: Item) -> None:
    observed = replace(seen(), **before)
    assert not stranded.is_stranded(observed, state.of(instance(**now)))
    assert stranded.is_stranded(seen(), state.of(instance(**STRANDED)))


def history(*states: tuple[float, Item], spans: Sequence[float] = (0.1,)) -> Observations:
    """States that a watch has seen, after so many seconds each, by connections begun at `spans`."""
    looks = [Look(NOW + at * SECOND, state.of(instance(**status))) for at, status in states]
    last = looks[-1].received
    watches = tuple(Span(NOW + begun * SECOND, last) for begun in spans)
    return replace(seen(), looks=tuple(looks), watches=watches)


RESUMED: Item = {"conditions": PAUSED["conditions"], "fsFreezeStatus": ""}
FROZEN: Item = {"fsFreezeStatus": "frozen"}


@pytest.mark.parametrize(
    ("is_so", "states", "spans"),
    [
        pytest.param(
            False, [(0, {}), (1, RESUMED), (2, {}), (60, FROZEN)], [0.1],
            id="resumed long before the hook froze it",
        ),
        pytest.param(
            False, [(0, {}), (9, ELSEWHERE), (99, STRANDED)], [0.1],
            id="frozen by somebody else, long after it was migrated",
        ),
        pytest.param(
            True, [(0, {}), (1, RESUMED), (2, {}), (8, FROZEN)], [0.1],
            id="paused before the status could say that it is frozen",
        ),
        pytest.param(
            True, [(0, {}), (9, {}), (50, RESUMED), (60, {}), (66, FROZEN)], [0.1],
            id="it ran long before it was frozen and paused",
        ),
        pytest.param(
            True, [(0, {}), (9, ELSEWHERE), (99, STRANDED)], [0.1, 99],
            id="the watch was away meanwhile",
        ),
        pytest.param(
            True, [(0, {}), (9, {**ELSEWHERE, "conditions": []}), (99, STRANDED)], [0.1],
            id="its agent was away meanwhile, without which nobody knows",
        ),
        pytest.param(
            True, [(0, {}), (9, STRANDED), (20, FROZEN)], [0.1], id="migrated to and fro",
        ),
    ],
)  # fmt: skip
def test_who_froze_a_guest_that_ran_where_it_is_thaws_it(
    is_so: bool, states: list[tuple[float, Item]], spans: list[float]
) -> None:
    observed = history(*states, spans=spans)
    assert stranded.is_stranded(observed, observed.looks[-1].state) is is_so


def test_a_look_on_request_says_nothing_of_the_time_before() -> None:
    observed = history((0, {}), (9, ELSEWHERE), (99, STRANDED))
    asked = replace(observed.looks[-1], asked=observed.looks[-1].received)
    observed = replace(observed, looks=(*observed.looks[:-1], asked))
    assert stranded.is_stranded(observed, asked.state)


def test_another_run_of_the_machine_is_not_stranded() -> None:
    other = {**instance(**STRANDED), "metadata": {**instance()["metadata"], "uid": "vmi-new"}}
    assert not stranded.is_stranded(seen(), state.of(other))


OTHER_BACKUP = {
    "kind": "Backup",
    "metadata": {"name": "other", "namespace": "velero", "uid": "b2"},
    "spec": {},
    "status": {"phase": "InProgress"},
}


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([OTHER_BACKUP], "backup other may need its freeze"),
        (
            [{**OTHER_BACKUP, "metadata": {"name": "other", "namespace": "team"}}],
            "backup team/other may need its freeze",
        ),
        (
            [{**machine(), "status": {"snapshotInProgress": "hourly"}}],
            "VirtualMachineSnapshot hourly is at work",
        ),
    ],
)
def test_what_somebody_else_needs_frozen_is_left_frozen_and_told(
    objects: Sequence[Item], reason: str
) -> None:
    reader = Cluster()
    reader.becomes(**STRANDED)
    reader.objects = [one for one in reader.objects if one["kind"] != "VirtualMachine"]
    reader.objects += objects
    found = concluded(reader)
    assert not reader.thaws()
    assert reason in found.error


# when all is taken: the process that watched it may be gone


def concluded(reader: Cluster, observed: Observations | None = None) -> Any:
    kept = annotated(snapshot(), cut(), observed or seen())
    reader.objects = [one for one in reader.objects if one["kind"] != "VolumeSnapshot"]
    reader.objects.append(kept)
    return evidence.conclude(ID, observing(reader, ENDED, Hands(NOW + 60 * SECOND)))


def test_a_guest_that_stands_still_after_the_backup_is_thawed() -> None:
    reader = Cluster()
    reader.becomes(**STRANDED)
    found = concluded(reader)
    assert (reader.thaws(), found.completed, found.error) == (1, True, "")
    assert found.description.endswith(
        "; its guest was migrated or paused while frozen: thawed only now"
    )


def test_a_guest_that_nobody_may_thaw_is_an_error_of_the_backup() -> None:
    reader = Cluster(refusals=1)
    reader.becomes(**STRANDED)
    found = concluded(reader)
    assert found.completed
    assert found.error.startswith("guest shop/db stands still: ")
    assert "kubectl replace --raw" in found.error


def test_a_guest_that_runs_costs_no_request_more() -> None:
    reader = Cluster()
    assert not concluded(reader).error
    asked = [one for one in reader.questions if "virtualmachineinstances" in one]
    assert asked == ["list virtualmachineinstances.kubevirt.io shop"]
