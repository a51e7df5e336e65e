"""A cluster that is kept up for somebody's hands, as CONTRIBUTING says, and all of its ends."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from tests.cluster.namespaces import wait_until

ROOT = Path(__file__).parents[2]
MARK = "STILLPOINT_TEST_BY_HAND"
"""A variable of the environment that all that the command starts has."""


@contextmanager
def kept_up(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """The command, with its folders in this one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), MARK: str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()  # then its keeper ends the rest
        process.communicate()


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name, as a socket of the storage lies in it."""
    with tempfile.TemporaryDirectory(prefix="stillpoint-") as made:
        yield Path(made)


def started(folder: Path) -> list[list[bytes]]:
    """The command lines of all processes of a command, its own among them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if f"{MARK}={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().split(b"\0"))
    return found


def line_with(text: str, output: IO[str] | None) -> str:
    assert output
    for line in output:
        if text in line:
            return line.strip()
    raise AssertionError(f"no {text!r} before its end")


def assert_ended(process: "subprocess.Popen[str]", folder: Path, number: signal.Signals) -> None:
    process.send_signal(number)
    status = process.wait(120)
    assert process.stderr
    assert status == 0, process.stderr.read()
    wait_until(lambda: not started(folder), "all that it started has ended")
    wait_until(lambda: not list(folder.iterdir()), "its folders are removed")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_it_ends_while_it_starts(number: signal.Signals, folder: Path) -> None:
    with kept_up(folder) as process:
        line_with("starting", process.stderr)
        assert_ended(process, folder, number)


def test_it_is_what_it_says_until_it_ends(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with kept_up(folder) as process:
        said = line_with("export KUBECONFIG=", process.stdout)
        [kubeconfig] = shlex.split(said.removeprefix("export KUBECONFIG="))
        status = cli.main(["rehearse", "-n", "shop", "--kubeconfig", kubeconfig])
        assert (status, "shop/db" in capsys.readouterr().out) == (ExitStatus.GOOD, True)
        words = [word.decode() for line in started(folder) for word in line]
        [data] = [each for each in words if each.startswith("--data-dir=")]
        assert "kube-apiserver" in words
        assert_ended(process, folder, signal.SIGTERM)
        assert not Path(data.removeprefix("--data-dir=")).exists()
