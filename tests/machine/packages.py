"""The guest's packages of this checkout, and what one of them does in a booted guest."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.machine.machine import Machine

BUILD = Path(__file__).parents[2] / "packaging" / "guest" / "build"

STATUS = "stillpoint-guest status --output json"
PATIENT = """\
[stillpoint-guest]
discovery = no
freeze_s = 200
[postgresql:main]
prepare_s = 150
lock_s = 60
[mariadb:main]
socket = /run/mysqld/mysqld.sock
prepare_s = 150
lock_s = 60
"""
"""A guest without hardware acceleration on a busy machine is far slower than a real one: even to
find out what runs takes it longer than a freeze may take."""


@dataclass(frozen=True)
class Packages:
    deb: Path
    rpm: Path
    program: Path


def build(folder: Path, version: str = "") -> Packages:
    """Builds them into a folder; as of another version than this one, if that is given."""
    environment = os.environ | {"PYTHON": sys.executable, "VERSION": version}
    subprocess.run([BUILD, folder], check=True, env=environment)
    (deb,), (rpm,) = folder.glob("*.deb"), folder.glob("*.rpm")
    return Packages(deb, rpm, folder / "stillpoint-guest")


def install(guest: Machine, package: Path) -> None:
    """On the second console: the package starts the agent anew, and so ends what it runs."""
    with guest.agent() as agent:
        agent.write("/root/stillpoint-guest.deb", package.read_bytes())
    guest.wait_for_shell()
    assert "installed: 0" in guest.shell(
        "dpkg -i /root/stillpoint-guest.deb; echo installed: $?", 300
    )
    guest.run("timeout 300 sh -c 'until systemctl -q is-active stillpoint-guest; do sleep 1; done'")


def configure(guest: Machine, name: str, content: str) -> None:
    """A file of its configuration, which counts from the next freeze on."""
    with guest.agent() as agent:
        agent.write(f"/etc/stillpoint-guest/conf.d/{name}.conf", content.encode())


def announced(guest: Machine) -> list[dict[str, Any]]:
    """What it has said on the serial console so far: whole lines, whatever stands before them."""
    return announcements(guest.console.rpartition("\n")[0])


def announcements(text: str) -> list[dict[str, Any]]:
    """Our lines among others."""
    said = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # torn by another writer
            said.append(json.loads(line.partition("@stillpoint ")[2]))
    return said


def status(guest: Machine) -> dict[str, Any]:
    """What it tells; also while every disk is frozen, when the agent runs nothing."""
    told: dict[str, Any] = json.loads(guest.shell(STATUS, 120))
    return told
