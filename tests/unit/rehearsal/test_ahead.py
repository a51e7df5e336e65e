"""Calls that are made before their answers are needed."""

import threading

import pytest

from plugin.model.label_selector import LabelSelector
from plugin.model.reference import Reference
from plugin.rehearsal.ahead import Ahead
from plugin.rehearsal.plugin_client import Action

ACTION = Action("stillpoint.dev/some", frozenset(), frozenset(), LabelSelector.parse(""))
FIRST, SECOND, THIRD = (Reference("", "pods", "shop", name) for name in "abc")
TOO_LATE_S = 60.0


def test_calls_are_under_way_together() -> None:
    both = threading.Barrier(2)

    def call(_: Action, reference: Reference) -> str:
        both.wait(TOO_LATE_S)  # raises if the other call does not come
        return reference.name

    with Ahead([(ACTION, FIRST), (ACTION, SECOND)], call) as answers:
        assert [answers.answer(ACTION, one) for one in (FIRST, SECOND)] == ["a", "b"]


def test_each_call_is_made_once_and_one_that_nobody_foresaw_when_it_is_needed() -> None:
    made = []

    def call(_: Action, reference: Reference) -> str:
        made.append(reference)
        return reference.name

    with Ahead([(ACTION, FIRST), (ACTION, SECOND)], call) as answers:
        found = [answers.answer(ACTION, one) for one in (THIRD, SECOND, FIRST)]
    assert found == ["c", "b", "a"]
    assert sorted(made) == [FIRST, SECOND, THIRD]


def test_an_error_is_raised_to_whoever_needs_that_answer() -> None:
    def call(_: Action, reference: Reference) -> str:
        if reference is FIRST:
            raise LookupError(reference.name)
        return reference.name

    with Ahead([(ACTION, FIRST), (ACTION, SECOND)], call) as answers:
        assert answers.answer(ACTION, SECOND) == "b"
        with pytest.raises(LookupError, match="a"):
            answers.answer(ACTION, FIRST)


def test_what_nobody_waits_for_any_more_is_not_called() -> None:
    made = []
    begun, end = threading.Event(), threading.Event()

    def call(_: Action, reference: Reference) -> str:
        made.append(reference)
        begun.set()
        end.wait(TOO_LATE_S)
        return reference.name

    pods = [Reference("", "pods", "shop", str(number)) for number in range(100)]
    with Ahead([(ACTION, pod) for pod in pods], call):
        assert begun.wait(TOO_LATE_S)
        threading.Timer(0.1, end.set).start()
    assert 0 < len(made) < len(pods)
