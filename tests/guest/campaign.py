"""Runs the fault campaign in a lab, several of it side by side, each on its own disk.

python -m tests.guest.campaign 10000      as `make faults` does
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.guest.lab.inside import beside_a_crowd
from tests.guest.lab.lab import Lab, python

DISKS = {f"/data/{number}": kind for number, kind in enumerate(("ext4", "xfs") * 3)}
ROOT = Path(__file__).parents[2]
IDLE_S = 600.0
COUNTED = ("cycles", "held", "frozen", "vouched", "lost", "refused")
CROWD = 30  # of nobody's, beside all of them
DRIVERS = """
from tests.guest.faults.applications import LastingLock, SessionLock

DRIVERS = (SessionLock, LastingLock, *(each for each in DRIVERS if each.PROGRAMS))
"""


class CampaignError(Exception):
    """A campaign did not come to its end."""


def run(cycles: int, seed: int) -> dict[str, Any]:
    """Run so many cycles in all, and give the sum of their summaries."""
    with Lab(DISKS) as lab, beside_a_crowd(lab, CROWD) as strangers_heard:
        inside = lab.path("/run/campaign")
        shutil.copytree(ROOT / "guest_hooks/stillpoint_guest", inside / "stillpoint_guest")
        shutil.copytree(ROOT / "tests/guest/faults", inside / "tests/guest/faults")
        with (inside / "stillpoint_guest/drivers/__init__.py").open("a") as drivers:
            drivers.write(DRIVERS)
        each = -(-cycles // len(DISKS))
        running = [
            _started(lab, each, seed * len(DISKS) + number, disk)
            for number, disk in enumerate(DISKS)
        ]
        ended = [(one, *one.communicate(timeout=IDLE_S + each * 5)) for one in running]
    total: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    broken: list[str] = [f"a stranger was {each}" for each in strangers_heard]
    for process, output, errors in ended:
        if not output:
            raise CampaignError(f"status {process.returncode}: {errors}")
        summary = json.loads(output)
        broken += summary.pop("broken")
        total.update(summary)
    return {**total, "broken": broken}


def _started(lab: Lab, cycles: int, seed: int, disk: str) -> "subprocess.Popen[str]":
    program = ("env", "--chdir=/run/campaign", python(), "-Bm", "tests.guest.faults.cycles")
    places = ("--folder", f"/run/faults{disk.replace('/', '-')}", "--disk", disk)
    return subprocess.Popen(
        lab.command(*program, *("--cycles", str(cycles), "--seed", str(seed)), *places),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(summary: dict[str, Any]) -> str:
    """One line for people."""
    frozen = f"{summary['frozen']} with a disk frozen"
    ends = f"{summary['vouched']} vouched for, {summary['lost']} reported as lost"
    return (
        f"{summary['cycles']} cycles: {summary['held']} held ({frozen}; {ends}), "
        f"{summary['refused']} refused, {len(summary['broken'])} broken"
    )


def main() -> int:
    summary = run(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.stdout.write(told(summary) + "\n" + "\n".join(summary["broken"]) + "\n")
    return 1 if summary["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
