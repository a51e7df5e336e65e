"""A process that looks like a server: its name, its folder, its files and sockets, and no server.

impostor.py NAME FOLDER [--pid-file CONTENT] [--socket PATH] [--port NUMBER] [--count NUMBER]

In CONTENT, PID stands for its number. Each that connects is told about on standard output. All of
them end with their standard input.
"""

import argparse
import ctypes
import os
import socket
import sys
import threading
from pathlib import Path

PR_SET_NAME = 15


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder")
    parser.add_argument("--pid-file")
    parser.add_argument("--socket")
    parser.add_argument("--port", type=int)
    parser.add_argument("--count", type=int, default=1)
    given = parser.parse_args()
    os.chdir(given.folder)
    for _ in range(given.count - 1):
        if os.fork() == 0:
            if os.fork():
                os._exit(0)  # so that it is nobody's child, as sessions of a server are
            break
    ctypes.CDLL(None).prctl(PR_SET_NAME, os.fsencode(given.name), 0, 0, 0)
    if given.pid_file:
        text = given.pid_file.encode().decode("unicode_escape").replace("PID", str(os.getpid()))
        Path("postmaster.pid").write_text(text)
    if given.socket:
        made = socket.socket(socket.AF_UNIX)
        made.bind(given.socket)
        Path(given.socket).chmod(0o777)
        hear(made)
    if given.port:
        hear(socket.create_server(("127.0.0.1", given.port)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


def hear(listener: socket.socket) -> None:
    listener.listen(8)

    def run() -> None:
        while True:
            connection, _ = listener.accept()
            sys.stdout.write(f"connected {connection.recv(4096)!r}\n")
            sys.stdout.flush()
            connection.close()

    threading.Thread(target=run, daemon=True).start()


if __name__ == "__main__":
    main()
