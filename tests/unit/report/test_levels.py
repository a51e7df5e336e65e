"""The level of a machine by the evidence of its disks, shared ones too."""

from dataclasses import replace

import pytest

from stillpoint.evidence.document import Evidence, Span
from stillpoint.model.level import Level
from stillpoint.report import levels
from stillpoint.report.model import Verdict
from tests.unit.report import world as of
from tests.unit.report.world import World

A, F, C = Level.APPLICATION, Level.FILESYSTEM, Level.CRASH


def evidence(level: Level, machine: str = "db", together: Level | None = None) -> Evidence:
    return of.evidence("root", machine, level=level, machine_level=together)


@pytest.mark.parametrize(
    ("taken", "level"),
    [
        ([], Level.NONE),
        ([evidence(A)], A),
        ([evidence(A), evidence(A)], A),
        ([evidence(A), None], Level.UNKNOWN),
        ([evidence(A), evidence(Level.UNKNOWN)], Level.UNKNOWN),
        ([evidence(F, together=Level.MIXED), evidence(C, together=Level.MIXED)], Level.MIXED),
        ([evidence(A), evidence(A, "web", Level.MIXED)], A),
        ([evidence(A), evidence(F, "web")], F),
        ([evidence(A), evidence(C, "web")], Level.MIXED),
        ([evidence(Level.STOPPED), evidence(F, "web")], Level.MIXED),
    ],
)
def test_the_level_of_all_disks(taken: list[Evidence | None], level: Level) -> None:
    assert levels.of_machine("db", taken) is level


def test_the_strongest_demand_counts() -> None:
    found = [replace(evidence(F), required=one) for one in (C, A, None, Level.STOPPED)]
    assert levels.demanded({}, [*found, None]) is A
    assert levels.demanded({}, [evidence(F), None]) is None


@pytest.mark.parametrize(
    ("asked", "said", "level"),
    [("application", None, A), ("application", C, A), ("crash", F, F), ("appl", C, C), ({}, C, C)],
)
def test_the_demand_of_a_stored_machine_counts_without_that_of_evidence(
    asked: object, said: Level | None, level: Level
) -> None:
    machine = {"metadata": {"annotations": {"stillpoint.dev/require": asked}}}
    assert levels.demanded(machine, [replace(evidence(F), required=said)]) is level


def test_evidence_without_a_demand_does_not_meet_that_of_its_machine() -> None:
    world = of.good()
    annotations = {"stillpoint.dev/require": "application"}
    world.item("VirtualMachine", "db")["metadata"]["annotations"] = annotations
    found = of.machine(world)
    assert (found.demanded, found.verdict) == (A, Verdict.BELOW)


def with_shared_disk() -> World:
    """`web` writes to a disk of `db`, too."""
    world = of.good()
    world.items += [*of.virtual_machine("web", "root"), of.instance("web", "root")]
    of.put_snapshot(world, "web-root")
    world.put(of.evidence("web-root", "web", frozen=None), "VolumeSnapshot", "velero-web-root")
    plugged = {"name": "shared", "persistentVolumeClaim": {"claimName": "db-data"}}
    world.item("VirtualMachineInstance", "web")["spec"]["volumes"].append(plugged)
    return world


def test_a_shared_disk_counts_for_both() -> None:
    world = with_shared_disk()
    shared = of.evidence("db-data", shared_with=("web",))
    world.put(shared, "VolumeSnapshot", "velero-db-data")
    db, web = (of.machine(world, name) for name in ("db", "web"))
    assert [disk.claim for disk in web.disks] == ["web-root", "db-data"]
    assert (web.disks[1].shared_with, db.disks[1].shared_with) == (("db",), ("web",))
    assert (db.level, web.level) == (Level.FILESYSTEM, Level.FILESYSTEM)
    assert web.frozen is None  # the time of the other guest is not its own


def test_evidence_that_knows_nothing_of_the_other_guest_does_not_count_for_it() -> None:
    world = with_shared_disk()
    db, web = (of.machine(world, name) for name in ("db", "web"))
    assert (db.verdict, web.verdict) == (Verdict.GOOD, Verdict.UNKNOWN)
    assert "evidence-of-another-disk" in {one.code for one in web.problems}


def test_the_spread_is_not_known_without_both_ends() -> None:
    world = of.good()
    half = of.evidence("db-data", cut=Span(of.after(0.1), None))
    world.put(half, "VolumeSnapshot", "velero-db-data")
    assert of.machine(world).spread_s is None
    half = of.evidence("db-data", cut=Span(None, of.after(0.1)))
    world.put(half, "VolumeSnapshot", "velero-db-data")
    assert of.machine(world).spread_s is None


def test_a_snapshot_that_became_ready_in_the_end_is_ready() -> None:
    world = of.good()
    world.volume("db-root")["csiSnapshotInfo"]["ReadyToUse"] = False
    assert of.machine(world).verdict is Verdict.GOOD


def test_what_fails_for_a_demand_is_said_once() -> None:
    world = of.good()
    for name in ("db-root", "db-data"):
        world.put(of.evidence(name, required=A), "VolumeSnapshot", f"velero-{name}")
    names = {"Group": "kubevirt.io", "Resource": "virtualmachines", "Namespace": "shop"}
    spec = {"resourceIdentifier": {**names, "Name": "db"}, "backupUID": of.UID}
    world.operations = [
        {"spec": spec, "status": {"phase": "Failed", "error": "wanted application"}}
    ]
    codes = [one.code for one in of.machine(world).problems]
    assert codes == ["below-demanded", "data-in-storage"]
