"""What tests do in a lab: configure the agent there, look at its processes, wait."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.guest.lab import console, crowd
from tests.guest.lab.lab import Lab, python

CROWD = "/run/crowd"
STATE = "/var/lib/stillpoint-guest"
CONFIGURATION = "/etc/stillpoint-guest.conf"
CONSOLE_LOG = "/run/console.log"
MARKER = "@stillpoint "


def configure(lab: Lab, text: str = "", **agent: object) -> None:
    """Write the configuration; without `discovery` only what `text` has is brought to rest."""
    head = {"discovery": "no", **agent}
    lines = "".join(f"{key} = {value}\n" for key, value in head.items())
    lab.path(CONFIGURATION).write_text(f"[stillpoint-guest]\n{lines}{text}")


def script(lab: Lab, name: str, body: str) -> str:
    """A script of a guest's owner, as a section; it is called with `freeze` and `thaw`."""
    path = f"/run/{name}"
    lab.path(path).write_text(f"#!/bin/sh\n{body}\n")
    lab.path(path).chmod(0o755)
    pair = f"method = pair\nfreeze = {path} freeze\nthaw = {path} thaw"
    return f"[{name}]\ntype = script\n{pair}\nrelease_s = 1\n"


@contextlib.contextmanager
def beside_a_crowd(lab: Lab, number: int, user: str = "nobody") -> Iterator[list[str]]:
    """So many hostile processes of a user; yields what is, in the end, who was connected to."""
    program = f"{CROWD}.py"
    shutil.copy(crowd.__file__, lab.path(program))
    lab.path(CROWD).mkdir()
    shutil.chown(lab.path(CROWD), user)
    identity = ("setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups")
    words = lab.command(*identity, python(), "-IB", program, CROWD, str(number))
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
    heard: list[str] = []
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield heard
    finally:
        heard += process.communicate()[0].splitlines()
        shutil.rmtree(lab.path(CROWD))


@contextlib.contextmanager
def serial_console(lab: Lab, *log: str) -> Iterator[str]:
    """A terminal in the lab, as a path; its output goes to the log, without one nobody reads it."""
    program = "/run/console.py"
    shutil.copy(console.__file__, lab.path(program))
    words = lab.command(python(), "-IB", program, *log)
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.communicate()
        lab.run("umount", "/dev/pts")
        lab.path(CONSOLE_LOG).unlink(missing_ok=True)


def said_on_console(lab: Lab) -> list[dict[str, Any]]:
    """Our lines in its log."""
    log = lab.path(CONSOLE_LOG)
    whole = log.read_text("ascii").rpartition("\n")[0] if log.exists() else ""
    ours = (line for line in whole.splitlines() if line.startswith(MARKER))
    return [json.loads(line.removeprefix(MARKER)) for line in ours]


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def holder(lab: Lab) -> int:
    """The number of the holder on this machine; 0 if there is none."""
    for process in processes(lab):
        if b"holder" in (process / "cmdline").read_bytes().split(b"\0"):
            return int(process.name)
    return 0


def blocked(lab: Lab) -> list[str]:
    """Processes of the lab that wait for a disk, by name."""
    found = []
    for process in processes(lab):
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        if state == "D":
            found.append((process / "comm").read_text().strip())
    return found


def processes(lab: Lab) -> list[Path]:
    """Those in its mount namespace, as folders of this machine's /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            same = (process / "ns/mnt").readlink() == Path(f"/proc/{lab.process}/ns/mnt").readlink()
            (process / "cmdline").read_bytes()
        except OSError:
            continue
        if same:
            found.append(process)
    return found


def number_inside(process: int) -> list[str]:
    """The number of a process as the lab knows it."""
    if not process:
        return []
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return [line.split()[-1] for line in lines if line.startswith("NSpid:")]


def status(lab: Lab) -> dict[str, Any]:
    done = lab.guest("status", "--output", "json")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def last_application(lab: Lab, name: str) -> dict[str, Any]:
    """What the last record tells of it."""
    found = [one for one in status(lab)["last"]["applications"] if one["name"] == name]
    assert len(found) == 1, found
    return dict(found[0])
