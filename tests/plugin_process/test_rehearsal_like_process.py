"""A rehearsal calls actions in its own process: with the outcomes of the plugin's process."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import yaml

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.velero_steps import backup_request, restore_request
from stillpoint.rehearsal.velero_steps.restore import RestoredItem
from stillpoint.velero.volumes import snapshotter
from tests.plugin_process.rehearsed import in_this_process, over_the_wire
from tests.unit.rehearsal import examples, test_reasons, world

PEER = Path(__file__).parents[1] / "unit" / "rehearsal" / "archives" / "peer.yaml"
RENAMED = it.with_value(restore_request.plain(), {"shop": "drill"}, "spec", "namespaceMapping")


def broken() -> list[Item]:
    """The examples with a machine that no action can read."""
    objects = examples.objects()
    machine = examples.find(objects, "VirtualMachine", "db")
    objects[objects.index(machine)] = it.with_value(machine, None, "spec", "template")
    return objects


PLAIN = backup_request.of_flags((), None)
OWN: Item = {
    **PLAIN,
    "metadata": {
        **PLAIN["metadata"],
        "uid": "7c9f6c8e-3d1c-4d7f-9f0b-1c5a5b6e7d80",  # snapshots are named after it
        "annotations": {snapshotter.ANNOTATION: snapshotter.ALL},
    },
    "spec": {**PLAIN["spec"], "snapshotVolumes": False},
}
SCENES: dict[str, tuple[Callable[[], Sequence[Item]], Item, Item | None]] = {
    "examples": (examples.objects, PLAIN, None),
    "examples into the same cluster": (examples.objects, PLAIN, restore_request.plain()),
    "examples into another namespace": (examples.objects, PLAIN, RENAMED),
    "examples with the plugin's snapshots": (examples.objects, OWN, None),
    "a machine that cannot be read": (broken, PLAIN, None),
    "every reason": (lambda: world.namespaces(test_reasons.CASES), PLAIN, None),
    "every reason with the plugin's snapshots": (
        lambda: world.namespaces(test_reasons.CASES), OWN, None,
    ),
    "objects of a peer's backup": (lambda: list(yaml.safe_load_all(PEER.read_text())), PLAIN, None),
}  # fmt: skip


@pytest.mark.parametrize("scene", SCENES)
def test_a_rehearsal_has_the_outcomes_of_the_process(scene: str, tmp_path: Path) -> None:
    objects, backup, asked = SCENES[scene]
    here = in_this_process(objects(), backup, asked)
    there = over_the_wire(objects(), backup, asked, tmp_path)
    assert here.backup == there.backup
    assert comparable(here.restored, objects()) == comparable(there.restored, objects())
    assert here.requests == there.requests
    assert len(here.backup.items) > 4


UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def comparable(items: Sequence[RestoredItem], of: Sequence[Item]) -> list[RestoredItem]:
    """The items; a UUID that the restore drew has no digits."""
    known = {found[0] for found in UUID.finditer(orjson.dumps(of).decode())}

    def masked(item: Item) -> Item:
        text = orjson.dumps(item).decode()
        drawn = UUID.sub(lambda found: found[0] if found[0] in known else "new", text)
        same: Item = orjson.loads(drawn)
        return same

    return [replace(one, item=masked(one.item)) if one.item else one for one in items]
