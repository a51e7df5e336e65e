"""A plugin process with this one in the place of Velero."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import grpc

from stillpoint.wire import handshake

LONGEST_S = 180.0  # of a test; without an end a reader of its output would wait for ever
SOON_S = 60.0
"""Tells what ends from what hangs; speed is measured elsewhere."""


@dataclass(frozen=True)
class Running:
    """A plugin that has announced itself."""

    process: subprocess.Popen[bytes]
    announced: str
    channel: grpc.Channel

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def errors(self) -> IO[bytes]:
        assert self.process.stderr is not None
        return self.process.stderr

    def await_line(self, part: bytes, times: int = 1) -> None:
        """Read standard error until this many lines contain `part`."""
        found = 0
        for line in self.errors:
            found += part in line
            if found == times:
                return
        raise AssertionError(f"the plugin ended after {found} lines with {part!r}")

    def end(self) -> int:
        return self.process.wait(SOON_S)


def environment(**changes: str) -> dict[str, str]:
    name, value = handshake.COOKIE
    return os.environ | {name: value} | changes


@contextmanager
def running(plugin: Path, *arguments: str, **changes: str) -> Iterator[Running]:
    """Start a plugin as go-plugin does, and kill it at the end if it is still there."""
    process = subprocess.Popen(
        [plugin, *arguments],
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    address = line.split("|")[3]
    options = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(f"unix:{address}", options)
    watchdog = threading.Timer(LONGEST_S, process.kill)
    watchdog.start()
    with process, channel:
        try:
            yield Running(process, line, channel)
        finally:
            watchdog.cancel()
            process.kill()
