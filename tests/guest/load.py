"""Writers, each with one connection, that remember what was acknowledged to them and when.

A writer counts: its statement number n is known to be in a copy if that has number n.
"""

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.guest import databases

ANSWER_S = 30.0  # more than a whole freeze, which a writer waits out
END_S = 30.0


class Writer(Protocol):
    """Writes number n, and returns when that is acknowledged."""

    def write(self, number: int) -> None: ...

    def close(self) -> None: ...


class SqlWriter:
    """A client on a pipe: a statement, then one whose answer tells that it is done."""

    def __init__(self, command: Sequence[str], statement: str) -> None:
        self._statement = statement
        self._client = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            bufsize=1,
            start_new_session=True,
        )

    def write(self, number: int) -> None:
        assert self._client.stdin
        assert self._client.stdout
        self._client.stdin.write(f"{self._statement.format(number)};\nSELECT {number};\n")
        answer = self._client.stdout.readline().strip()
        if answer != str(number):
            raise databases.QueryError(f"{self._statement}: {answer}")

    def close(self) -> None:
        """It ends with its input, else by SIGKILL, with all that stands before it (`nsenter`)."""
        assert self._client.stdin
        assert self._client.stdout
        with contextlib.suppress(OSError):
            self._client.stdin.close()
        try:
            self._client.wait(END_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._client.pid, signal.SIGKILL)
            self._client.wait(END_S)
        self._client.stdout.close()


class RedisWriter:
    def __init__(self, path: Path, key: str) -> None:
        self._key = key
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_S)
        self._socket.connect(str(path))

    def write(self, number: int) -> None:
        self._socket.sendall(f"SET {self._key} {number}\r\n".encode())
        answer = self._socket.recv(64)
        if answer != b"+OK\r\n":
            raise databases.QueryError(f"{self._key}: {answer!r}")

    def close(self) -> None:
        self._socket.close()


class EtcdWriter:
    def __init__(self, port: int, key: str) -> None:
        self._key = b64encode(key.encode()).decode()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)

    def write(self, number: int) -> None:
        value = b64encode(str(number).encode()).decode()
        self._connection.request("POST", "/v3/kv/put", f'{{"key":"{self._key}","value":"{value}"}}')
        answer = json.loads(self._connection.getresponse().read())
        if "header" not in answer:
            raise databases.QueryError(str(answer))

    def close(self) -> None:
        self._connection.close()


@dataclass
class Load:
    """One writer at work."""

    name: str
    writer: Writer
    acknowledged_s: list[float] = field(default_factory=list)  # of number 1, 2, ...
    error: str = ""

    def run(self, over: threading.Event) -> None:
        try:
            for number in itertools.count(1):
                if over.wait(0.001):
                    return
                self.writer.write(number)
                self.acknowledged_s.append(time.monotonic())
        except (OSError, databases.QueryError, http.client.HTTPException) as error:
            self.error = f"{self.name}: {error}"

    def acknowledged_before(self, moment_s: float) -> int:
        """The last number that was acknowledged by then."""
        return sum(each <= moment_s for each in list(self.acknowledged_s))

    def longest_stall_s(self, begin_s: float, end_s: float) -> float:
        """The longest time without an acknowledgement, around that time."""
        moments = [each for each in list(self.acknowledged_s) if begin_s - 1 <= each <= end_s + 2]
        return max((after - before for before, after in itertools.pairwise(moments)), default=0)


@contextlib.contextmanager
def running(loads: Sequence[Load]) -> Iterator[None]:
    """All of them work inside the block.

    Raises:
        AssertionError: one of them failed.
    """
    over = threading.Event()
    threads = [threading.Thread(target=load.run, args=(over,), daemon=True) for load in loads]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(END_S)
        for load in loads:
            load.writer.close()
    assert [load.error for load in loads if load.error] == []
