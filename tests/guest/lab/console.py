"""A serial console for a lab: a terminal of its own; `console.py FILE` copies what it prints.

Prints the path of the terminal. Without FILE nobody ever reads it, and it is full from the start.
Ends with its input.
"""

import fcntl
import os
import select
import struct
import subprocess
import sys
import tty

_UNLOCK, _NUMBER = 0x40045431, 0x80045430  # TIOCSPTLCK, TIOCGPTN


def main(files: "list[str]") -> None:
    mount = ("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0600", "console", "/dev/pts")
    subprocess.run(mount, check=True)
    reader = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(reader, _UNLOCK, struct.pack("i", 0))
    path = f"/dev/pts/{struct.unpack('i', fcntl.ioctl(reader, _NUMBER, bytes(4)))[0]}"
    kept = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(kept)
    if not files:
        fill(kept)
    print(path, flush=True)  # noqa: T201
    ends = [sys.stdin.fileno(), reader] if files else [sys.stdin.fileno()]
    while True:
        ready = select.select(ends, [], [])[0]
        if reader not in ready:
            return
        with open(files[0], "ab") as file:  # noqa: PTH123
            file.write(os.read(reader, 65536))


def fill(terminal: int) -> None:
    while select.select([], [terminal], [], 1.0)[1]:  # the kernel moves on what it has taken
        try:
            while True:
                os.write(terminal, b"x" * 4096)
        except BlockingIOError:
            continue


if __name__ == "__main__":
    main(sys.argv[1:])
