"""Listeners that are no servers: what they answer, and what they were told."""

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BufferedRWPair
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
    """A port of 127.0.0.1 at which this process answers what it is told first like that."""

    def one(connection: socket.socket) -> None:
        connection.recv(65536)
        answer(connection)

    listener = socket.create_server(("127.0.0.1", 0))
    with served(listener, one):
        yield listener.getsockname()[1]


@contextlib.contextmanager
def served(listener: socket.socket, serve: Answer) -> Iterator[None]:
    """Each connection in a thread of its own."""

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    with contextlib.closing(listener):
        yield


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


Rows = Sequence[Sequence[str]]


class MySQLPeer:
    """Speaks as much of the protocol of MariaDB as a client needs to be answered anything.

    Source: MariaDB's documentation, Client/Server Protocol.
    """

    CAPABILITIES = 0x000FF7FF & ~0x20 & ~0x800  # all of old, but compression and TLS
    END = b"\xfe\0\0\2\0"
    DONE = b"\0\0\0\2\0\0\0"

    def __init__(self, answers: Mapping[str, Rows | bytes]) -> None:
        """Answer questions that begin like that with rows, or with one packet; others are done."""
        self.answers = answers
        self.heard: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        with connection.makefile("rwb") as file:
            self.serve(file)

    def serve(self, file: BufferedRWPair) -> None:
        self.send(file, 0, self.greeting())
        self.hear(file)
        self.send(file, 2, self.DONE)
        while True:
            number, question = self.hear(file)
            if not question or question[:1] == b"\x01":
                return
            self.heard.append(question)
            self.answer(file, number, question[1:].decode(errors="replace"))

    def greeting(self) -> bytes:
        low, high = (
            struct.pack("<I", self.CAPABILITIES)[:2],
            struct.pack("<I", self.CAPABILITIES)[2:],
        )
        version = b"\x0a5.5.5-10.11.6-MariaDB\0" + struct.pack("<I", 1) + b"A" * 8 + b"\0" + low
        rest = b"\x21\2\0" + high + b"\x15" + bytes(10) + b"B" * 12
        return version + rest + b"\0mysql_native_password\0"

    def answer(self, file: BufferedRWPair, number: int, question: str) -> None:
        known = (given for begin, given in self.answers.items() if question.startswith(begin))
        marker = [[question.split("'")[1]]] if question.startswith("SELECT 'stillpoint") else None
        given = next(known, marker or self.DONE)
        if isinstance(given, bytes):
            self.send(file, number + 1, given)
            return
        columns = len(given[0]) if given else 1
        packets = [bytes([columns]), *map(self.column, range(columns)), self.END]
        packets += [b"".join(map(self.counted, row)) for row in given]
        for packet in [*packets, self.END]:
            number += 1
            self.send(file, number, packet)

    def column(self, number: int) -> bytes:
        names = [self.counted(each) for each in ("def", "", "", "", f"c{number}", f"c{number}")]
        return b"".join(names) + b"\x0c" + struct.pack("<HIBHB", 33, 1000, 253, 0, 0) + b"\0\0"

    def counted(self, text: str) -> bytes:
        return bytes([len(text)]) + text.encode()

    def send(self, file: BufferedRWPair, number: int, packet: bytes) -> None:
        file.write(struct.pack("<I", len(packet))[:3] + bytes([number & 255]) + packet)
        file.flush()

    def hear(self, file: BufferedRWPair) -> tuple[int, bytes]:
        head = file.read(4)
        if len(head) < len(b"head"):
            return 0, b""
        return head[3], file.read(int.from_bytes(head[:3], "little"))
