"""A stand-in that goes wrong says so."""

import pytest

from tests.cluster.api import ApiError
from tests.cluster.namespaces import wait_until
from tests.cluster.watcher import Watcher, lost_race


class Faulty(Watcher):
    """Raises in its second look, and would look a third time."""

    def __init__(self, error: Exception) -> None:
        self.looks = 0
        self._raised = error
        super().__init__(every_s=0.01)

    def look(self) -> None:
        self.looks += 1
        if self.looks == 2:
            with lost_race():
                raise self._raised


def refusal(status: int) -> ApiError:
    return ApiError(status, "GET", "/api", "refused")


@pytest.mark.parametrize("error", [KeyError("status"), refusal(403)], ids=repr)
def test_an_error_of_a_look_is_raised_where_the_context_ends(error: Exception) -> None:
    with pytest.raises(type(error)), Faulty(error) as watcher:
        wait_until(lambda: watcher.error is not None, "the error")
    assert watcher.looks == 2


def fail_after(watcher: Watcher) -> None:
    wait_until(lambda: watcher.error is not None, "the error")
    raise TimeoutError


def test_both_errors_are_told_where_a_test_fails_too() -> None:
    watcher = Faulty(KeyError("status"))
    with pytest.raises(KeyError) as raised, watcher:
        fail_after(watcher)
    assert isinstance(raised.value.__context__, TimeoutError)


@pytest.mark.parametrize("status", [404, 409])
def test_a_lost_race_ends_nothing(status: int) -> None:
    with Faulty(refusal(status)) as watcher:
        wait_until(lambda: watcher.looks > 2, "a look after the race")


def test_one_that_was_never_started_is_closed() -> None:
    Faulty(KeyError("status")).close()
