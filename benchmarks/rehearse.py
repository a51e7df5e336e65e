"""`stillpoint rehearse` on 1,000 running machines of two disks each: the whole command.

From a stand-in API server (requests are counted there), and from manifests in one file. Then the
demo, and the calls of a rehearsal beside the same calls through the plugin's process.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import yaml

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.sources import manifests
from stillpoint.rehearsal.velero_steps import backup_request
from tests.api_server.server import ApiServer
from tests.plugin_process import rehearsed

MACHINES = 1_000
MACHINES_OVER_THE_WIRE = 200
DEMOS = 5
EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True)
class Measured:
    """One run of the command."""

    wall_s: float
    cpu_s: float
    peak_mb: int
    machines: int


def run() -> None:
    """1,000 running machines with two disks each, the whole command."""
    objects = list(many(MACHINES))
    print(f"{'from':<14}{'wall s':>8}{'CPU ms/VM':>11}{'peak MB':>9}{'requests':>10}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with ApiServer(objects) as server:
            file = server.kubeconfig(folder / "kubeconfig")
            show("API server", measure(["--kubeconfig", str(file)]), len(server.requests))
        for form in ("json", "yaml"):
            (folder / form).mkdir()
            write(folder / form / f"dump.{form}", objects)
            show(form, measure(["--from", str(folder / form)]), 0)
    demo = [measure(["--from", str(EXAMPLES)]).wall_s for _ in range(DEMOS)]
    print(f"\nmake demo, warm, the median of {DEMOS}: {statistics.median(demo):.2f} s")
    show_calls(list(many(MACHINES_OVER_THE_WIRE)))


def show_calls(objects: list[Item]) -> None:
    """The same backup and restore with the calls in this process, and in the plugin's."""
    began = time.monotonic()
    rehearsed.in_this_process(objects, backup_request.of_flags((), None), None)
    here_s = time.monotonic() - began
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        rehearsed.over_the_wire(objects, backup_request.of_flags((), None), None, Path(folder))
        there_s = time.monotonic() - began
    print(
        f"{MACHINES_OVER_THE_WIRE} machines: {here_s:.1f} s in one process, {there_s:.1f} s with "
        f"calls of the plugin's process, ratio {here_s / there_s:.2f}",
        flush=True,
    )


def show(title: str, measured: Measured, requests: int) -> None:
    """One line."""
    cpu_ms = measured.cpu_s * 1000 / measured.machines
    print(
        f"{title:<14}{measured.wall_s:8.1f}{cpu_ms:11.1f}{measured.peak_mb:9}{requests:10}",
        flush=True,
    )


def measure(arguments: list[str]) -> Measured:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measured", "rehearse", "-o", "json", *arguments]
    began = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, env=os.environ)
    wall_s = time.monotonic() - began
    machines = len(json.loads(done.stdout)["machines"])
    cpu_s, peak_kb = done.stderr.split()[-2:]
    return Measured(wall_s, float(cpu_s), int(peak_kb) // 1024, machines)


def many(machines: int) -> Iterator[Item]:
    """Copies of the machine `db` of the examples, with all that is of it."""
    objects = manifests.read(EXAMPLES).objects
    for item in objects:
        if not _is_of_db(item):
            if it.namespace(item) in ("", "shop") and item["kind"] not in _OF_MACHINES:
                yield item
            continue
        text = orjson.dumps(item).decode()
        for number in range(machines):
            copied: Item = orjson.loads(_as_number(text, number))
            yield copied


def _as_number(text: str, number: int) -> str:
    """Names, uids, addresses and serial numbers of its own; what refers to them follows."""
    text = text.replace('"db', f'"db{number:04}').replace("-db-", f"-db{number:04}-")
    text = _UUID.sub(lambda found: f"{found[1]}{number:04x}", text)
    return _ADDRESS.sub(lambda found: f"{found[1]}{number // 256:02x}:{number % 256:02x}", text)


_UUID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8})[0-9a-f]{4}")
_ADDRESS = re.compile(r"(02:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}:)[0-9a-f]{2}:[0-9a-f]{2}")
_OF_MACHINES = (
    "VirtualMachine", "VirtualMachineInstance", "Pod", "PersistentVolumeClaim", "DataVolume",
    "PersistentVolume", "ControllerRevision",
)  # fmt: skip


def _is_of_db(item: Item) -> bool:
    name = it.text(item, "spec", "claimRef", "name") or it.name(item)
    return "db" in name.replace("virt-launcher-", "").split("-")[:1]


def write(file: Path, objects: list[Item]) -> None:
    """As `oc get -o` prints them: one list."""
    whole = {"apiVersion": "v1", "kind": "List", "items": objects}
    if file.suffix == ".json":
        file.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2))
    else:
        file.write_text(yaml.dump(whole, Dumper=yaml.CSafeDumper))
