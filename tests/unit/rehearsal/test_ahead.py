"""Calls that are made before their answers are needed."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from stillpoint.model.reference import Reference
from stillpoint.rehearsal.ahead import Ahead
from stillpoint.rehearsal.plugin_client import Action, Call
from stillpoint.velero.selection.label_selector import LabelSelector

ACTION = Action("stillpoint.dev/some", frozenset(), frozenset(), LabelSelector.parse(""))
FIRST, SECOND, THIRD = (Reference("", "pods", "shop", name) for name in "abc")
TOO_LATE_S = 60.0


class PoolCall(Call[str]):
    """Stands for a call of gRPC, which waits in none of our threads."""

    def __init__(self, pool: ThreadPoolExecutor, do: Callable[[], str]) -> None:
        self._pool = pool
        self._do = do
        self._begun: Future[str] | None = None

    def begin(self, ended: Callable[[], None]) -> None:
        self._begun = self._pool.submit(self._do)
        self._begun.add_done_callback(lambda _: ended())

    def answer(self) -> str:
        return self._begun.result(TOO_LATE_S) if self._begun else self._do()


Asked = Callable[[Action, Reference], str]
Calls = Callable[[Asked], Callable[[Action, Reference], Call[str]]]


@pytest.fixture
def calls() -> Iterator[Calls]:
    """Makes calls of a function that answers."""
    with ThreadPoolExecutor(4) as pool:
        yield lambda asked: lambda action, one: PoolCall(pool, lambda: asked(action, one))


def test_calls_are_under_way_together(calls: Calls) -> None:
    both = threading.Barrier(2)

    def call(_: Action, reference: Reference) -> str:
        both.wait(TOO_LATE_S)  # raises if the other call does not come
        return reference.name

    with Ahead([(ACTION, FIRST), (ACTION, SECOND)], calls(call)) as answers:
        assert [answers.answer(ACTION, one) for one in (FIRST, SECOND)] == ["a", "b"]


def test_each_call_is_made_once_and_one_that_nobody_foresaw_when_it_is_needed(calls: Calls) -> None:
    made = []

    def call(_: Action, reference: Reference) -> str:
        made.append(reference)
        return reference.name

    with Ahead([(ACTION, FIRST), (ACTION, SECOND)], calls(call)) as answers:
        found = [answers.answer(ACTION, one) for one in (THIRD, SECOND, FIRST)]
    assert found == ["c", "b", "a"]
    assert sorted(made) == [FIRST, SECOND, THIRD]


def test_an_error_is_raised_to_whoever_needs_that_answer(calls: Calls) -> None:
    def call(_: Action, reference: Reference) -> str:
        if reference is FIRST:
            raise LookupError(reference.name)
        return reference.name

    with Ahead([(ACTION, FIRST), (ACTION, SECOND)], calls(call)) as answers:
        assert answers.answer(ACTION, SECOND) == "b"
        with pytest.raises(LookupError, match="a"):
            answers.answer(ACTION, FIRST)


class EndlessCall(Call[str]):
    """Stands for a call that is under way until `end`."""

    def __init__(self) -> None:
        self.end: Callable[[], None] = lambda: None

    def begin(self, ended: Callable[[], None]) -> None:
        self.end = ended


def test_what_nobody_waits_for_any_more_is_not_called() -> None:
    made: list[EndlessCall] = []

    def call(_action: Action, _reference: Reference) -> Call[str]:
        made.append(EndlessCall())
        return made[-1]

    pods = [Reference("", "pods", "shop", str(number)) for number in range(100)]
    with Ahead([(ACTION, pod) for pod in pods], call):
        begun = len(made)
        made[0].end()
        under_way = list(made)
        assert len(under_way) == begun + 1
    for one in under_way:
        one.end()
    assert 1 < begun < len(pods)
    assert made == under_way


def test_a_call_that_cannot_be_made_keeps_none_from_being_made(calls: Calls) -> None:
    pods = [Reference("", "pods", "shop", str(number)) for number in range(40)]
    made = calls(lambda _, reference: reference.name)

    def call(action: Action, reference: Reference) -> Call[str]:
        if reference in pods[:20]:  # more than are under way at once
            raise LookupError(reference.name)
        return made(action, reference)

    with Ahead([(ACTION, pod) for pod in pods], call) as answers:
        assert answers.answer(ACTION, pods[-1]) == "39"
        with pytest.raises(LookupError, match="7"):
            answers.answer(ACTION, pods[7])
