"""Keeps a lab guest, and this machine safe from it; a process of its own, run as a file.

A frozen root would stop this machine for good. So, before anything can freeze, it holds every
filesystem of the machine open and its own pages in memory, and thaws whatever of them is frozen,
three times a second. It refuses a lab in which a disk of this machine can be seen. When its input
ends, because the tests are over or were killed, it thaws the lab's disks, ends the lab and removes
its folder. FIRST is `init.sh`'s.

    keeper.py FOLDER FIRST PATH:KIND ...      prints "ready PID", or why not
"""

import contextlib
import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

FITHAW = 0xC0045878
LOOP = "7"
MCL_CURRENT_AND_FUTURE = 3
LOOK_S = 0.3
START_S = 60.0
END_S = 20.0


class Unsafe(Exception):
    """A freeze in this lab could reach this machine."""


def block_mounts(process: str) -> list[tuple[str, str]]:
    """Device and path of every mount of a process that a freeze could reach."""
    found = []
    for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        if not fields[2].startswith("0:") or kind == "btrfs":
            found.append((fields[2], fields[4]))
    return found


def require_safe(process: int, folder: str) -> None:
    """Go on only if every disk that the process sees is a loop device of this lab.

    Raises:
        Unsafe: it is not, or the process is in this machine's own mount namespace.
    """
    if Path(f"/proc/{process}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink():
        raise Unsafe("the lab has the mount namespace of this machine")
    for device, path in block_mounts(str(process)):
        if device.startswith("0:"):  # of btrfs: its number tells nothing
            continue
        backing = Path(f"/sys/dev/block/{device}/loop/backing_file")
        if device.split(":")[0] != LOOP or not backing.is_file():
            raise Unsafe(f"{path} in the lab is on device {device} of this machine")
        file = backing.read_text().strip()
        if not file.startswith((f"{folder}/", "/data/")):  # /data: a disk within a disk of the lab
            raise Unsafe(f"{path} in the lab is on {file} of this machine")


def thaw(descriptor: int, name: str) -> None:
    with contextlib.suppress(OSError):  # EINVAL: it was not frozen
        fcntl.ioctl(descriptor, FITHAW, 0)
        os.write(2, f"\nSAFETY: {name} of this machine was frozen, and is thawed\n".encode())


def own_filesystems() -> list[tuple[int, str]]:
    paths = dict(block_mounts("self"))  # one path per device
    return [(os.open(path, os.O_RDONLY), path) for path in paths.values()]


def started(arguments: list[str]) -> "tuple[subprocess.Popen[bytes], int]":
    """The namespace and its first process."""
    init = str(Path(__file__).with_name("init.sh"))
    command = ["unshare", "-m", "-p", "-f", "--propagation", "private", "sh", init, *arguments]
    outer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True)
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and outer.poll() is None:
        for process in children.read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{process}/comm").read_text().strip() == arguments[1]:
                    return outer, int(process)
        time.sleep(0.02)
    outer.kill()
    raise Unsafe("the lab did not start")


def end(outer: "subprocess.Popen[bytes]", inner: int) -> None:
    """Thaw every disk of the lab, for one that dies frozen is never let go; then end it."""
    with contextlib.suppress(OSError):
        for _, path in block_mounts(str(inner)):
            with contextlib.suppress(OSError):
                descriptor = os.open(f"/proc/{inner}/root{path}", os.O_RDONLY)
                with contextlib.suppress(OSError):
                    fcntl.ioctl(descriptor, FITHAW, 0)
                os.close(descriptor)
        os.kill(inner, signal.SIGKILL)
    try:
        outer.wait(END_S)
    except subprocess.TimeoutExpired:  # its mounts are gone; what is left ends with its parents
        os.write(2, b"\nthe lab's namespace waits for processes that nobody reaps\n")


def remove_groups(name: str) -> None:
    """The control groups of a lab whose first process was systemd."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            top = Path(fields[4]) / name
            for folder in sorted([top, *top.rglob("*/")], reverse=True):
                with contextlib.suppress(OSError):  # what still has a process
                    folder.rmdir()


def main(arguments: list[str]) -> int:
    folder = arguments[0]
    filesystems = own_filesystems()
    ctypes.CDLL(None).mlockall(MCL_CURRENT_AND_FUTURE)
    outer, inner = started(arguments)
    try:
        require_safe(inner, folder)
        os.write(1, f"ready {inner}\n".encode())
        while True:
            if select.select([0], [], [], LOOK_S)[0] and not os.read(0, 4096):
                return 0
            for descriptor, name in filesystems:
                thaw(descriptor, name)
    except Unsafe as error:
        os.write(1, f"unsafe: {error}\n".encode())
        return 1
    finally:
        end(outer, inner)
        remove_groups(Path(folder).name)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        shutil.rmtree(sys.argv[1], ignore_errors=True)
