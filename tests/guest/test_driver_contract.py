"""What every driver promises, with real servers; scripted peers are named so.

Times in here are limits for a loaded machine, a hundred times what things take.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers import DRIVERS
from stillpoint_guest.errors import ApplicationError, GuestError, Unreachable
from stillpoint_guest.processes.program import ENVIRONMENT

from tests.guest.cases.case import PASSWORD, Case, cycle
from tests.guest.cases.scripted import PEERS
from tests.guest.cases.servers import DATABASES

REPOSITORY = Path(__file__).parents[2]


class BlockFailed(Exception):
    """Something else than the driver goes wrong while it holds."""


def test_every_driver_has_its_case() -> None:
    cases = {re.split(r"\W", name)[0] for name in (*DATABASES, *PEERS)}
    assert {driver.KIND for driver in DRIVERS} - cases == set()


def test_it_comes_to_rest_and_runs_again(case: Case, tmp_path: Path) -> None:
    driver = case.driver(tmp_path)
    driver.prepare(Deadline.after(10))
    assert case.runs()
    with driver.quiesce(Deadline.after(3)) as report:
        assert report.method
        assert report.guarantees
        assert case.is_stopped() if case.stops_writes else case.runs()
    assert case.runs()
    assert_nothing_is_left(driver, tmp_path)


def test_an_error_elsewhere_releases_it(case: Case, tmp_path: Path) -> None:
    driver = case.driver(tmp_path)
    driver.prepare(Deadline.after(10))
    with pytest.raises(BlockFailed), driver.quiesce(Deadline.after(3)):
        raise BlockFailed
    assert case.runs()
    assert_nothing_is_left(driver, tmp_path)


def test_a_refusal_leaves_nothing_locked(case: Case, tmp_path: Path) -> None:
    with case.refusing() as options:
        driver = case.driver(tmp_path, **options)
        with pytest.raises(ApplicationError) as caught:
            cycle(driver, lock_s=1.5)
        assert_is_one_clear_line(caught.value, case)
    assert case.runs()
    driver.commands.end_all()
    assert_nothing_is_left(driver, tmp_path)


def test_an_application_that_hangs_costs_bounded_time(case: Case, tmp_path: Path) -> None:
    driver = case.driver(tmp_path)
    with case.hanging():
        begin = time.monotonic()
        with pytest.raises(ApplicationError) as caught:
            cycle(driver, prepare_s=0.7, lock_s=0.7)
        assert time.monotonic() - begin < 20
        assert_is_one_clear_line(caught.value, case)
        if case.is_found:  # else a freeze would fail for what nobody has configured
            assert isinstance(caught.value, Unreachable)
        driver.commands.end_all()
    assert case.runs()
    reconcile(case, tmp_path)
    assert case.runs()


def test_an_application_that_is_down_is_one_clear_line(case: Case, tmp_path: Path) -> None:
    with case.down(), pytest.raises(ApplicationError) as caught:
        cycle(case.driver(tmp_path))
    assert_is_one_clear_line(caught.value, case)
    assert case.down_says in str(caught.value)


def test_a_wrong_password_is_one_clear_line_without_it(case: Case, tmp_path: Path) -> None:
    options = case.wrong_password(tmp_path)
    if options is None:
        return
    with pytest.raises(Unreachable) as caught:
        cycle(case.driver(tmp_path, **options))
    assert_is_one_clear_line(caught.value, case)
    said = r"password authentication failed|Access denied|WRONGPASS|Authentication failed"
    assert re.search(said, str(caught.value))
    assert PASSWORD not in str(caught.value)


def test_a_client_that_is_killed_frees_it_and_is_told(case: Case, tmp_path: Path) -> None:
    if not case.has_client:
        return
    driver = case.driver(tmp_path)
    driver.prepare(Deadline.after(10))
    holding = driver.quiesce(Deadline.after(3))
    holding.__enter__()
    for process in driver.commands._started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    reconcile(case, tmp_path)
    assert case.runs()
    with pytest.raises(ApplicationError) as caught:
        holding.__exit__(None, None, None)
    assert_is_one_clear_line(caught.value, case)


def test_a_holder_that_is_killed_frees_it(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLPOINT_TEST_PATH", ENVIRONMENT["PATH"])
    arguments = [json.dumps(case.section()._asdict()), str(tmp_path)]
    holder = subprocess.Popen(
        [sys.executable, "-B", "-m", "tests.guest.held_driver", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.communicate()
    reconcile(case, tmp_path)
    assert case.runs()
    assert_nothing_is_left(case.driver(tmp_path), tmp_path)


def test_it_can_be_checked_without_being_hurt(case: Case, tmp_path: Path) -> None:
    findings = case.driver(tmp_path).check(Deadline.after(10))
    assert [each.text for each in findings if not each.is_good] == []
    assert findings
    assert case.runs()
    with case.down(), pytest.raises(GuestError, match=re.escape(case.down_says)):
        case.driver(tmp_path).check(Deadline.after(10))


def reconcile(case: Case, folder: Path) -> None:
    """What the next holder does."""
    note = case.journal(folder)
    noted = note.read()
    if noted is not None:
        case.driver(folder).reconcile(noted, Deadline.after(10))
        note.drop()


def assert_is_one_clear_line(error: ApplicationError, case: Case) -> None:
    assert str(error).startswith(f"{case.kind}:") or error.subject.startswith("/")
    assert "\n" not in str(error)
    assert 20 < len(str(error)) < 600


def assert_nothing_is_left(driver: Driver, folder: Path) -> None:
    assert not list(folder.glob("*.note*"))
    for process in driver.commands._started:
        deadline = time.monotonic() + 10  # for what was killed to die
        while is_there(process.pid):
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                pytest.fail(f"{process.args!r} is still there")
            time.sleep(0.02)


def is_there(group: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False
