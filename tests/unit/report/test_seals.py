"""Whose evidence a report believes: that of the plugin, and of nobody who knows less than it."""

from collections.abc import Callable

import pytest

from stillpoint.evidence.sealed import Key
from stillpoint.model.weight import Weight
from stillpoint.velero import seal_secret
from tests.unit.report import world as of
from tests.unit.report.world import World

SNAPSHOT, UPLOAD = "VolumeSnapshot", "DataUpload"


def seal(world: World, key: Key) -> None:
    """Seals all evidence of `db` with another key."""
    for name in ("db-root", "db-data"):
        world.put(of.evidence(name), SNAPSHOT, f"velero-{name}", key)


def without_secret(world: World) -> None:
    assert world.object is not None
    del world.object["metadata"]["annotations"][seal_secret.ANNOTATION]


def of_an_earlier_version(world: World) -> None:
    """As a plugin left a backup that drew no secret."""
    without_secret(world)
    seal(world, of.UID_KEY)


def synchronized(world: World) -> None:
    """As Velero finds it in the object store of another cluster."""
    assert world.object is not None
    world.object["metadata"]["uid"] = "made by Velero's synchronization"


def with_operations(world: World) -> None:
    spec = {"backupUID": of.UID, "resourceIdentifier": {}}
    world.operations = [{"spec": spec, "status": {"phase": "Completed"}}]


def both(*changes: of.Change) -> of.Change:
    def change(world: World) -> None:
        for one in changes:
            one(world)

    return change


@pytest.mark.parametrize(
    "change",
    [
        of_an_earlier_version,
        both(of_an_earlier_version, synchronized, with_operations),
        synchronized,
        both(synchronized, with_operations),
    ],
)
def test_evidence_of_the_plugin_is_believed(change: of.Change) -> None:
    world = of.good()
    change(world)
    assert of.machine(world).level == "filesystem"


def by_who_knows_the_uid(world: World) -> None:
    seal(world, of.UID_KEY)


def by_who_takes_the_uid_for_a_secret(world: World) -> None:
    seal(world, Key(of.UID))


def from_another_snapshot(world: World) -> None:
    """As somebody has it who deleted the snapshot, and took another one later of the same disk."""
    world.item(SNAPSHOT, "velero-db-root")["metadata"]["uid"] = "taken later"


def of_a_snapshot_on_an_upload(world: World) -> None:
    world.put(of.evidence("archive-old", "archive"), UPLOAD, "nightly-archive-old")
    evidence = world.item(UPLOAD, "nightly-archive-old")["metadata"]["annotations"]
    world.item(SNAPSHOT, "velero-db-root")["metadata"]["annotations"] |= evidence


def with_a_seal_of_nothing(world: World) -> None:
    seal(world, Key(""))


def from_the_future_in_an_earlier_backup(world: World) -> None:
    without_secret(world)


def without_the_object(world: World) -> None:
    """Nobody knows then whether the backup has a secret, and so if its uid may seal anything."""
    of_an_earlier_version(world)
    with_operations(world)
    world.object = None


Case = tuple[Callable[[World], None], str]
CASES: list[Case] = [
    (by_who_knows_the_uid, "evidence-not-sealed"),
    (by_who_takes_the_uid_for_a_secret, "evidence-not-sealed"),
    (with_a_seal_of_nothing, "evidence-not-sealed"),
    (both(of_an_earlier_version, with_a_seal_of_nothing), "evidence-not-checked"),
    (from_another_snapshot, "evidence-of-another-disk"),
    (of_a_snapshot_on_an_upload, "evidence-of-another-disk"),
    (from_the_future_in_an_earlier_backup, "evidence-not-checked"),
    (without_the_object, "evidence-not-checked"),
]


@pytest.mark.parametrize(("forge", "code"), CASES)
def test_evidence_of_others_is_not(forge: Callable[[World], None], code: str) -> None:
    world = of.good()
    forge(world)
    found = of.machine(world)
    assert found.level == "unknown"
    [problem] = [one for one in found.problems if one.weight is Weight.UNCERTAIN]
    assert problem.code == code
