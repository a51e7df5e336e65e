"""`stillpoint report` on an archive of 1,000 machines of two disks each: the whole command.

Beside it the time that it takes to undo gzip of the same archive, by the same Python.
"""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.rehearse import many
from stillpoint.model import item as it
from stillpoint.model.item import Item
from tests.unit.report import world as of
from tests.unit.report.world import World

MACHINES = 1_000
OUTPUTS = ("table", "json", "csv", "openmetrics")
_MACHINE = re.compile(r"db\d{4}")


def run() -> None:
    """1,000 machines with two disks each, from the folder of a backup; each output."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = backup(MACHINES).write(Path(temporary) / of.NAME)
        archive = folder / f"{of.NAME}.tar.gz"
        unpacked_s, unpacked_mb = unpack(archive)
        print(f"archive: {archive.stat().st_size >> 20} MB, {unpacked_mb} without gzip")
        print(f"{'output':<14}{'wall s':>8}{'CPU s':>8}{'CPU ms/VM':>11}{'peak MB':>9}")
        for output in OUTPUTS:
            wall_s, cpu_s, peak_mb = measure(folder, output)
            per_machine = cpu_s * 1000 / MACHINES
            print(
                f"{output:<14}{wall_s:8.1f}{cpu_s:8.2f}{per_machine:11.2f}{peak_mb:9}", flush=True
            )
        print(f"gzip alone {unpacked_s:.2f} s, ratio of the last line {cpu_s / unpacked_s:.1f}")


def unpack(archive: Path) -> tuple[float, int]:
    """CPU seconds, and MB."""
    began, length = time.process_time(), 0
    with gzip.open(archive) as stream:
        while piece := stream.read(1 << 20):
            length += len(piece)
    return time.process_time() - began, length >> 20


def measure(folder: Path, output: str) -> tuple[float, float, int]:
    """Wall and CPU seconds and peak MB of the command, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measured", "report", "--from", str(folder)]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "-o", output], check=False, capture_output=True, env=os.environ
    )
    wall_s = time.monotonic() - began
    if output == "json":
        [report] = json.loads(done.stdout)["reports"]
        if len(report["machines"]) != MACHINES or report["verdict"] != "good":
            sys.exit(f"{len(report['machines'])} machines, {report['verdict']}")
    cpu_s, peak_kb = done.stderr.split()[-2:]
    return wall_s, float(cpu_s), int(peak_kb) // 1024


def backup(machines: int) -> World:
    """The machine `db` of the examples that often, with all that is of it, and evidence."""
    whole = World(object=of.backup())
    for group in _by_machine(many(machines)):
        one = World(items=group)
        for name in [it.name(item) for item in group if item["kind"] == "PersistentVolumeClaim"]:
            add_snapshot(one, name)
        whole.items += one.items
        whole.volumes = [*(whole.volumes or ()), *(one.volumes or ())]
    return whole


def add_snapshot(one: World, name: str) -> None:
    """A snapshot of a claim, with evidence."""
    claim = one.item("PersistentVolumeClaim", name)
    claim["metadata"].setdefault("annotations", {})
    of.put_snapshot(one, name)
    [machine] = {it.name(item) for item in one.items if item["kind"] == "VirtualMachine"}
    one.put(of.evidence(name, machine, uid=it.uid(claim)), "VolumeSnapshot", f"velero-{name}")


def _by_machine(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items of each machine; those of none first."""
    groups: dict[str, list[Item]] = {"": []}
    for item in items:
        found = _MACHINE.search(it.text(item, "spec", "claimRef", "name") or it.name(item))
        groups.setdefault(found[0] if found else "", []).append(item)
    yield from groups.values()
