"""A server that lets clients connect and never answers, under the name of a real one.

mute.py PORT SOCKET      listens on both; what it is taken for is how this Python was called
"""

import os
import signal
import socket
import sys
from pathlib import Path


def main(port: int, path: str) -> None:
    inet = socket.create_server(("127.0.0.1", port))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(path)
    Path(path).chmod(0o777)  # as servers do: whom they let in is said in the protocol
    unix.listen()
    folder = Path(path).parent
    lines = (os.getpid(), folder, 0, inet.getsockname()[1], folder, "", "ready")
    (folder / "postmaster.pid").write_text("\n".join(map(str, lines)))  # PostgreSQL is found by it
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
