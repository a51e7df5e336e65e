"""Two real servers, one of which does not come back: the other one does not wait for it."""

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.processes import Processes
from tests.guest import databases
from tests.guest.lab.inside import configure, holder, processes, status
from tests.guest.lab.lab import Lab

DISK = "/data/a"
AT_ONCE_S = 7.5
"""Less than anybody waits for one that does not come back: 10 s at a thaw, 8 s to undo."""

LAZY = ("--innodb-flush-log-at-trx-commit=2",)  # is changed for the hold, and put back
SETTING = "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit"


class Guest:
    """Two servers of MariaDB that are found by themselves."""

    def __init__(self, lab: Lab, started: Processes) -> None:
        self.lab = lab
        self.servers = [
            databases.MariaDB(Path(DISK) / name, started, settings=LAZY) for name in ("one", "two")
        ]
        for server in self.servers:
            server.prefix = lab.command()
            server.seen = lambda path: lab.path(str(path))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.up(), self.servers))

    def number(self, server: databases.MariaDB) -> int:
        [found] = (
            process
            for process in processes(self.lab)
            if (process / "comm").read_text() == "mariadbd\n"
            and str(server.data).encode() in (process / "cmdline").read_bytes()
        )
        return int(found.name)

    def held(self) -> Sequence[databases.MariaDB]:
        """Both, in the order of their locks."""
        configure(self.lab, discovery="yes")
        assert self.lab.guest("freeze").returncode == 0
        names = status(self.lab)["hold"]["applications"]
        assert len(names) == len(self.servers)
        return sorted(self.servers, key=lambda server: str(server.folder) not in names[0])


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    with (
        tempfile.TemporaryDirectory() as logs,
        Lab({DISK: "ext4"}) as lab,
        contextlib.closing(Processes(Path(logs), [])) as started,
    ):
        yield Guest(lab, started)


def test_a_server_that_stands_still_keeps_no_other_locked(guest: Guest) -> None:
    real, hanging = guest.held()  # the one that was locked last is released first
    number = guest.number(hanging)
    os.kill(number, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        told: list[str] = []
        thaw = threading.Thread(target=lambda: told.append(guest.lab.guest("thaw").stderr))
        thaw.start()
        real.write(AT_ONCE_S)
        assert time.monotonic() - began_s < AT_ONCE_S
        thaw.join()
        assert time.monotonic() - began_s < 16, "KubeVirt gives up after 20 s"
    finally:
        os.kill(number, signal.SIGCONT)
    assert "not done in time" in told[0]
    for server in guest.servers:
        server.write()


def test_what_was_changed_in_a_server_that_has_ended_is_not_waited_for(guest: Guest) -> None:
    ended, other = guest.servers
    guest.held()
    os.kill(guest.number(ended), signal.SIGSTOP)  # it would answer nobody
    os.kill(guest.number(ended), signal.SIGKILL)
    os.kill(holder(guest.lab), signal.SIGKILL)
    began_s = time.monotonic()
    assert guest.lab.guest("thaw").returncode == 1
    assert time.monotonic() - began_s < AT_ONCE_S
    assert other.query(SETTING).split()[-1] == "2"
    notes = [one.name for one in guest.lab.path("/run/stillpoint-guest/notes").glob("*.note")]
    assert notes == []
