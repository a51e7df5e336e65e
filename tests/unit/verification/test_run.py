"""A run of several machines: its outcome, and what of it is kept with the backup."""

from dataclasses import replace
from datetime import timedelta

import pytest

from stillpoint.verification.model import Observed, Outcome, Result, Run
from stillpoint.verification.verdict import judge
from tests.unit.verification.machines import AT, OTHER, answers, copied, machine, seen

WHOLE = judge(machine(), seen(copied(), answers()), AT)
SILENT = judge(machine(), seen(copied()), AT)
CONTRADICTED = judge(machine(), seen(copied(OTHER)), AT)
DOWN = judge(machine(), seen(is_running=False), AT)
UNTRIED = judge(machine(), Observed((), is_tried=False, failure="it has a LUN"), AT)
LEFT = judge(machine(), seen(copied(), answers(), left=("the namespace",)), AT)


def run(*results: Result, left: tuple[str, ...] = ()) -> Run:
    end = AT + timedelta(minutes=2)
    return Run("x7", "velero", "nightly", "none", None, 3, AT, end, results, left)


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ((WHOLE,), Outcome.GOOD),
        ((WHOLE, SILENT), Outcome.OPEN),
        ((WHOLE, UNTRIED), Outcome.OPEN),
        ((WHOLE, LEFT), Outcome.OPEN),
        ((), Outcome.OPEN),
        ((UNTRIED, CONTRADICTED, WHOLE), Outcome.BAD),
        ((WHOLE, DOWN), Outcome.BAD),
    ],
)
def test_the_outcome_is_that_of_the_worst(results: tuple[Result, ...], outcome: Outcome) -> None:
    assert run(*results).outcome is outcome


def test_what_is_left_of_the_run_itself_is_not_good() -> None:
    assert run(WHOLE, left=("a namespace",)).outcome is Outcome.OPEN


def test_a_machine_that_was_not_tried_takes_no_earlier_word_away() -> None:
    web = replace(CONTRADICTED, name="web")
    kept = run(replace(UNTRIED, name="cache"), WHOLE, web).verifications
    assert kept == {"shop/db": WHOLE.verification, "shop/web": web.verification}
