"""Guests that say on their console what they hold, as our package does; and what a backup shows."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stillpoint.evidence import document
from stillpoint.evidence.document import Evidence
from stillpoint.evidence.sealed import Key
from tests.cluster.api import Object
from tests.cluster.archive import Archive
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine

_ACTION = "stillpoint.dev/backup-virtual-machine"

_AGENT = """\
#!{python} -IS
import json, sys, time
from pathlib import Path

folder = Path({folder!r})

def say(state, **facts):
    record = int((folder / "holds").read_text())
    line = {{"v": 1, "id": f"{name}-{{record}}", "boot": "b-1", "state": state, **facts}}
    with (folder / "console").open("a") as console:
        console.write(f"\\r\\n@stillpoint {{json.dumps(line)}}\\r\\n")

if sys.argv[1] == "freeze":
    holds = folder / "holds"
    holds.write_text(str(int(holds.read_text()) + 1))
    (folder / "began").write_text(str(time.monotonic()))
    say("held", verdict="application", apps=["postgresql:15/main"])
else:
    held_s = time.monotonic() - float((folder / "began").read_text())
    say("released", held_s=round(held_s, 3), lost=False, by="thaw")
    say("over", lost=False)
"""


def give_agent(cluster: Cluster, machine: Machine, folder: Path) -> None:
    """From now on the guest of the machine has our package."""
    folder.mkdir(parents=True)
    (folder / "holds").write_text("0")
    (folder / "console").touch()
    program = folder / "agent"
    facts = {"python": sys.executable, "folder": str(folder), "name": machine.name}
    program.write_text(_AGENT.format(**facts))
    program.chmod(0o755)
    cluster.node.give_console(machine.namespace, machine.name, folder / "console")
    cluster.node.give_hook(machine.namespace, machine.name, program)


@dataclass(frozen=True)
class Shown:
    """What a backup says of its machines.

    Attributes:
        evidence: by the disk's claim.
        operations: status of the machine's operation, by the machine.
    """

    backup: Object
    evidence: Mapping[str, Evidence]
    operations: Mapping[str, Object]

    def levels(self) -> dict[str, str]:
        return {name: str(each.level) for name, each in self.evidence.items()}

    def reasons(self) -> str:
        """All that the evidence says, for whoever reads a failed test."""
        return "\n".join(map(repr, self.evidence.values()))


def shown(archive: Archive, backup: Object) -> Shown:
    """What it shows in the object store where it lies."""
    name, key = backup["metadata"]["name"], Key.of_backup(backup)
    holders = [
        item
        for path, item in archive.backup_items(name).items()
        if path.startswith(("resources/volumesnapshots.", "resources/datauploads."))
        if "preferredversion" not in path
    ]
    found = [each for item in holders if (each := document.of(item, key))]
    operations = {
        each["spec"]["resourceIdentifier"]["Name"]: each["status"]
        for each in archive.backup_operations(name)
        if each["spec"]["backupItemAction"] == _ACTION
    }
    return Shown(backup, {each.claim.name: each for each in found}, operations)
