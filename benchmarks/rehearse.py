"""`stillpoint rehearse` on 1,000 running machines of two disks each: the whole command.

From a stand-in API server (requests are counted there), and from manifests in one file.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import yaml

from plugin.model import item as it
from plugin.model.item import Item
from plugin.rehearsal import manifests
from plugin.rehearsal.api_server import ApiServer

MACHINES = 1_000
EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True)
class Measured:
    """One run of the command."""

    wall_s: float
    peak_mb: int
    machines: int


def run() -> None:
    """1,000 running machines with two disks each, the whole command."""
    objects = list(many(MACHINES))
    print(f"{'from':<14}{'wall s':>8}{'peak MB':>9}{'requests':>10}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with ApiServer(objects) as server:
            file = server.kubeconfig(folder / "kubeconfig")
            show("API server", measure(["--kubeconfig", str(file)]), len(server.requests))
        for form in ("json", "yaml"):
            (folder / form).mkdir()
            write(folder / form / f"dump.{form}", objects)
            show(form, measure(["--from", str(folder / form)]), 0)


def show(title: str, measured: Measured, requests: int) -> None:
    """One line."""
    print(f"{title:<14}{measured.wall_s:8.1f}{measured.peak_mb:9}{requests:10}", flush=True)


def measure(arguments: list[str]) -> Measured:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measured", "rehearse", "-o", "json", *arguments]
    began = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, env=os.environ)
    wall_s = time.monotonic() - began
    machines = len(json.loads(done.stdout)["machines"])
    return Measured(wall_s, int(done.stderr.split()[-1]) // 1024, machines)


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


def peak_kb() -> int:
    """Of this process and of the largest of its children, together."""
    usages = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(usage).ru_maxrss for usage in usages)
