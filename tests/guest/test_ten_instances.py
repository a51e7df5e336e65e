"""Ten servers in one guest, nothing configured: all are found and rest in one freeze."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.processes import Processes
from tests.guest import databases
from tests.guest.lab.inside import blocked, processes, status
from tests.guest.lab.lab import Lab

DISK = "/data/a"


@dataclass
class Guest:
    """Four clusters of PostgreSQL and six servers of Redis, on one disk."""

    lab: Lab
    postgresql: Sequence[databases.Postgres]
    redis: Sequence[databases.Redis]

    @property
    def servers(self) -> Sequence[databases.Server]:
        return (*self.postgresql, *self.redis)

    def number(self, server: databases.Redis) -> int:
        """Of its process; what starts it in the lab has another."""
        [found] = (
            process
            for process in processes(self.lab)
            if (process / "comm").read_text() == "redis-server\n"
            and str(server.socket).encode() in (process / "cmdline").read_bytes()
        )
        return int(found.name)

    def last(self) -> dict[str, Any]:
        """The record of the last freeze."""
        return dict(status(self.lab)["last"])


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    """Thawed before its processes end, for what waits for a disk cannot be killed."""
    with (
        tempfile.TemporaryDirectory() as logs,
        Lab({DISK: "ext4"}) as lab,
        contextlib.closing(Processes(Path(logs), [])) as started,
        contextlib.ExitStack() as at_first,
    ):
        at_first.callback(lab.thaw)
        folder = Path(DISK)
        guest = Guest(
            lab,
            [databases.Postgres(folder / f"pg{number}", started) for number in range(4)],
            [databases.Redis(folder / f"redis{number}", started) for number in range(6)],
        )
        for server in guest.servers:
            server.prefix = lab.command()
            server.seen = lambda path: lab.path(str(path))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.up(), guest.servers))
        yield guest


def test_all_ten_are_found_and_rest_in_one_freeze(guest: Guest) -> None:
    with guest.lab.agent() as agent:
        assert agent.freeze() == 1
        assert agent.thaw() == 1
    last = guest.last()
    kinds = sorted(one["name"].partition(":")[0] for one in last["applications"])
    assert kinds == ["postgresql"] * 4 + ["redis"] * 6
    assert len({one["name"] for one in last["applications"]}) == len(guest.servers)
    assert [one["error"] for one in last["applications"] if one["error"]] == []
    assert last["verdict"] == "application"
    for server in guest.servers:
        server.write()
    assert blocked(guest.lab) == []


def test_one_of_ten_that_hangs_is_named_and_the_others_rest(guest: Guest) -> None:
    hanging = guest.redis[2]
    number = guest.number(hanging)
    os.kill(number, signal.SIGSTOP)
    try:
        with guest.lab.agent() as agent:
            assert agent.freeze() == 1
            assert agent.thaw() == 1
    finally:
        os.kill(number, signal.SIGCONT)
    last = guest.last()
    [failed] = (one for one in last["applications"] if one["error"])
    assert str(hanging.socket) in failed["name"]
    assert len(last["applications"]) == len(guest.servers)
    assert last["verdict"] != "application"
    for server in guest.servers:
        server.write()
    assert blocked(guest.lab) == []
