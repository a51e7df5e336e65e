"""Work that no caller waits for."""

import threading

import pytest

from stillpoint.calls.background import Background


def test_tasks_run_in_order_and_nobody_waits_for_them() -> None:
    background, may_go_on = Background(), threading.Event()
    done: list[str] = []

    def first() -> None:
        assert may_go_on.wait(60)
        done.append("first")

    background.run(first)
    background.run(lambda: done.append("second"))
    assert done == []
    may_go_on.set()
    background.finish(60)
    assert done == ["first", "second"]


def test_a_note_is_made_before_deletions_that_wait() -> None:
    """A process that is to end has a second left: the next one makes deletions, and no note."""
    background, has_begun, may_go_on = Background(), threading.Event(), threading.Event()
    done: list[str] = []

    def slow() -> None:
        has_begun.set()
        assert may_go_on.wait(60)
        done.append("slow deletion")

    background.run(slow)
    assert has_begun.wait(60)
    background.run(lambda: done.append("deletion"))
    background.note(lambda: done.append("note"))
    background.note(lambda: done.append("another"))
    may_go_on.set()
    background.finish(60)
    assert done == ["slow deletion", "note", "another", "deletion"]


def test_a_task_that_fails_is_told_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()
    done: list[float] = []
    background.run(lambda: done.append(1 / 0))
    background.run(lambda: done.append(2))
    background.finish(60)
    assert done == [2]
    assert "ZeroDivisionError" in caplog.text


def test_a_process_that_is_to_end_does_not_wait_for_a_task_that_hangs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    background, may_go_on = Background(), threading.Event()

    def hangs() -> None:
        may_go_on.wait(60)

    background.run(hangs)
    background.finish(0)
    assert "the next backup makes" in caplog.text
    may_go_on.set()
    background.finish(60)
