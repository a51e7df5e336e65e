"""Listeners that are no servers: what they answer, and what they were told."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Answer = Callable[[socket.socket], object]

# Prints what each caller says first, at a port or a path.
LISTENER = """
import os, socket, sys
where = sys.argv[1]
listener = socket.socket(socket.AF_INET if where.isdigit() else socket.AF_UNIX)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(where)) if where.isdigit() else where)
if not where.isdigit():
    os.chmod(where, 0o777)
listener.listen(8)
print("listens", flush=True)
while True:
    connection, _ = listener.accept()
    connection.settimeout(2)
    try:
        print(repr(connection.recv(4096)), flush=True)
    except OSError:
        pass
    connection.close()
"""


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[int]:
    """A port of 127.0.0.1 at which this process answers each connection like that."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            answer(connection)

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    with contextlib.closing(listener):
        yield listener.getsockname()[1]


def saying(data: bytes) -> Answer:
    """That, and the end of the connection."""
    return lambda connection: connection.sendall(data)


def endless(head: bytes, piece: bytes = b"x" * 65536, every_s: float = 0) -> Answer:
    """A beginning, and no end."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(every_s)

    return answer


@contextlib.contextmanager
def listener(user: str, where: str) -> Iterator[Callable[[], Sequence[str]]]:
    """A process of that user at a port or path; yields what ends it and tells what it heard."""
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    identity = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]
    process = subprocess.Popen(
        [*identity, python, "-Ic", LISTENER, where], stdout=subprocess.PIPE, text=True, cwd="/"
    )
    assert process.stdout
    assert process.stdout.readline() == "listens\n"

    def heard() -> Sequence[str]:
        process.kill()
        lines, _ = process.communicate()
        return [line for line in str(lines).splitlines() if line != "b''"]

    try:
        yield heard
    finally:
        process.kill()
        process.wait()
