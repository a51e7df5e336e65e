"""A crowd of processes that look like servers and mean no good, as any user can start them.

crowd.py FOLDER NUMBER      as that user, in a folder of his: so many, of every kind in turn

Prints "ready" once all of them run, then a line for each that was connected to. Beside them listens
in FOLDER/vouched/KIND.sock one of each kind that answers; of these nothing is told, for tests have
sections that lead there. Their number is bounded, and all of them end with standard input.
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

NAMES = ("postgres", "mysqld", "redis-server", "etcd", "mongod", "mariadbd", "sqlservr")
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
MANY = 100
LONG_BYTES = 100_000  # of one argument; the kernel takes 128 KB
PID_FILE = "postmaster.pid"
BELIEVED = "/run/postgresql/.s.PGSQL.5432"  # where a real one would listen
Answer = Callable[[socket.socket], object]


def main() -> None:
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    children = [
        forked(answering, place(folder / "vouched"), kind, answer)
        for kind, answer in ANSWERS.items()
    ]
    for index in range(number):
        kind, name = KINDS[index % len(KINDS)], NAMES[index % len(NAMES)]
        children.append(forked(kind, place(folder / str(index)), name))
    time.sleep(1.0)
    if any(os.waitpid(child, os.WNOHANG)[0] for child in children):
        sys.exit("one of them has ended")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)


def place(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def forked(kind: Callable[..., object], folder: Path, *words: object) -> int:
    child = os.fork()
    if child:
        return child
    ends_with_parent()
    os.chdir(folder)
    kind(*words)
    while True:
        signal.pause()


def ends_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def be_called(name: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def listens(where: str | int) -> socket.socket:
    if isinstance(where, int):
        return socket.create_server(("127.0.0.1", where))
    made = socket.socket(socket.AF_UNIX)
    made.bind(where)
    if not where.startswith("\0"):
        Path(where).chmod(0o777)
    made.listen(64)
    return made


def nonsense(connection: socket.socket) -> None:
    while True:
        connection.sendall(random.randbytes(4096))
        time.sleep(0.01)


def a_byte_a_second(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"+")
        time.sleep(1)


def silence(_: socket.socket) -> None:
    time.sleep(60)


def a_farewell(connection: socket.socket) -> None:
    connection.recv(64)


ANSWERS: dict[str, Answer] = {
    "nonsense": nonsense,
    "a-byte-a-second": a_byte_a_second,
    "silence": silence,
    "a-farewell": a_farewell,
}


def answering(kind: str, answer: Answer) -> None:
    """One that a section leads to, by a name that is no server's."""
    serve(listens(f"{kind}.sock"), answer, is_told=False)


def serve(listener: socket.socket, answer: Answer, is_told: bool = True) -> None:
    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            answer(connection)

    def run() -> None:
        while True:
            connection, _ = listener.accept()
            if is_told:
                os.write(1, f"connected to {Path.cwd()} {listener.getsockname()!r}\n".encode())
            connection.settimeout(60)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()


def server(answer: Answer) -> Callable[[str], None]:
    """One with a socket, a port and a file that says where it listens."""

    def run(name: str) -> None:
        unix, inet = listens(".s.PGSQL.5432"), listens(0)
        folder, port = Path.cwd(), inet.getsockname()[1]
        lines = (os.getpid(), folder, 1, port, folder, "127.0.0.1", "", "ready")
        Path(PID_FILE).write_text("\n".join(map(str, lines)))
        serve(unix, answer)
        serve(inet, answer)
        be_called(name)

    return run


def fifo(name: str) -> None:
    os.mkfifo(PID_FILE)
    be_called(name)


def endless_file(name: str) -> None:
    Path(PID_FILE).symlink_to("/dev/zero")
    be_called(name)


def bait(name: str) -> None:
    """Sockets whose names, in the kernel's table of text, are lines and paths of somebody else."""
    line = f"x\n0: 00000002 00000000 00010000 0001 01 1 {BELIEVED}"
    Path(line).parent.mkdir(parents=True)
    names = (line, f"\0{BELIEVED}\0{random.random()}", " .s.PGSQL.5432", "moved")
    for one in map(listens, names):
        serve(one, silence)
    Path("moved").unlink()
    Path("moved").symlink_to(BELIEVED)
    be_called(name)


def many_sockets(name: str) -> None:
    for one in [listens(f"{number}.sock") for number in range(MANY)]:
        serve(one, silence)
    be_called(name)


def long_arguments(name: str) -> None:
    words = ("--datadir=/etc", "--socket=" + BELIEVED, "x" * LONG_BYTES)
    os.execv(sys.executable, [name, "-Ic", RENAMED, name, *words])  # noqa: S606


RENAMED = """
import ctypes, signal, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
signal.pause()
"""


def own_executable(name: str) -> None:
    shutil.copy(os.path.realpath(sys.executable), name)
    os.execv(f"./{name}", [name, "-ISc", "import signal; signal.pause()"])  # noqa: S606


def stopped(name: str) -> None:
    be_called(name)
    os.kill(os.getpid(), signal.SIGSTOP)


def undead(name: str) -> None:
    """Its child has ended under that name, and nobody asks how."""
    if os.fork() == 0:
        be_called(name)
        os._exit(0)


def comes_and_goes(name: str) -> None:
    """One at a time, a few milliseconds each."""
    while True:
        child = os.fork()
        if child == 0:
            ends_with_parent()
            be_called(name)
            time.sleep(random.uniform(0.005, 0.03))
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.02)


def by_turns(name: str) -> None:
    """Called so every other moment."""
    while True:
        be_called(name)
        time.sleep(0.005)
        be_called("sleep")
        time.sleep(0.005)


KINDS: tuple[Callable[[str], None], ...] = (
    *map(server, ANSWERS.values()),
    fifo,
    endless_file,
    bait,
    many_sockets,
    long_arguments,
    own_executable,
    stopped,
    undead,
    comes_and_goes,
    by_turns,
    be_called,
)


if __name__ == "__main__":
    main()
