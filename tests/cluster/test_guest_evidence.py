"""The evidence of a booted guest's backups says what their restored disks show.

The guest is backed up without our package, with it, and when its hook fails, by whom ever its
snapshots are taken; `stillpoint report`
says the same of each backup that it downloads from the cluster.
"""

from datetime import datetime
from typing import Any

import pytest

from stillpoint.evidence.document import Evidence
from tests.cluster import real_guest
from tests.cluster.guest_life import BACKUPS, NAME, NAMESPACE, Life
from tests.machine.machine import DATABASES

pytestmark = pytest.mark.e2e

LEVELS = {
    "bare": "filesystem",
    "bare-ours": "filesystem",
    "held": "application",
    "label": "application",
    "refused": "crash",
}
HELD = [name for name, level in LEVELS.items() if level == "application"]
PROOFS = {
    "filesystem": {"one-run", "hook-succeeded", "alone"},
    "application": {"one-run", "all-at-rest", "nothing-lost"},
    "crash": {"crash-hook-failed", "running", "hook-failed", "never-frozen", "no-line"},
}
DISKS = {real_guest.SYSTEM, real_guest.DATA, real_guest.HOT}


def evidence(life: Life, name: str) -> dict[str, Evidence]:
    """By the disk's label."""
    found = life.taken[name].shown.evidence
    return {label: found[f"{NAME}-{label}"] for label in DISKS if f"{NAME}-{label}" in found}


def reported(life: Life, name: str) -> dict[str, Any]:
    (machine,) = life.reported[name].report["machines"]
    assert (machine["namespace"], machine["name"]) == (NAMESPACE, NAME)
    return dict(machine)


@pytest.mark.parametrize("name", BACKUPS)
def test_each_disk_has_the_level_with_its_proofs(life: Life, name: str) -> None:
    level, found = LEVELS[name], evidence(life, name)
    reasons = life.taken[name].shown.reasons()
    assert {label: str(each.level) for label, each in found.items()} == dict.fromkeys(
        DISKS, level
    ), reasons
    for each in found.values():
        assert {proof.code for proof in each.proofs} >= PROOFS[level], reasons
        assert each.machine_level == ("mixed" if level == "crash" else level), reasons


@pytest.mark.parametrize("name", BACKUPS)
def test_a_disk_that_is_said_to_be_frozen_needs_no_repair(life: Life, name: str) -> None:
    running = {label for label, each in evidence(life, name).items() if each.level == "crash"}
    assert life.on_disk[name].in_use == running


@pytest.mark.parametrize("name", BACKUPS)
def test_the_disk_carries_the_record_that_its_evidence_names(life: Life, name: str) -> None:
    record = life.on_disk[name].record
    on_it = record["id"] if record.get("state") == "held" else ""
    assert {each.record for each in evidence(life, name).values()} == {on_it}
    assert bool(on_it) == (LEVELS[name] == "application")


@pytest.mark.parametrize("name", HELD)
def test_the_databases_that_the_evidence_names_are_at_rest_on_the_disk(
    life: Life, name: str
) -> None:
    record, server = life.on_disk[name].record, life.on_disk[name].postgresql
    assert record["verdict"] == "application"
    named = {each.applications for each in evidence(life, name).values()}
    assert named == {tuple(one["name"] for one in record["applications"])}
    kinds = {one["type"]: one for one in record["applications"]}
    assert set(kinds) == set(DATABASES)
    began = datetime.fromisoformat(record["began_at"]).replace(microsecond=0)
    assert began <= server.written <= datetime.fromisoformat(record["held_at"])
    high, low = kinds["postgresql"]["position"]["lsn"].split("/")
    assert server.redo <= (int(high, 16) << 32 | int(low, 16))


@pytest.mark.parametrize("name", BACKUPS)
def test_a_database_of_a_guest_that_runs_recovers_on_the_copy(life: Life, name: str) -> None:
    """At every level: at rest is not shut down."""
    assert not life.on_disk[name].postgresql.is_shut_down


@pytest.mark.parametrize("name", BACKUPS)
def test_the_report_from_the_cluster_says_what_the_evidence_says(life: Life, name: str) -> None:
    machine, found = reported(life, name), evidence(life, name)
    disks = {disk["claim"].removeprefix(f"{NAME}-"): disk for disk in machine["disks"]}
    assert set(disks) == DISKS
    assert {machine["level"]} == {each.machine_level for each in found.values()}
    for label, each in found.items():
        said = disks[label]
        assert (said["level"], said["method"]) == (each.level, "snapshot")
        assert said["record"] == each.record
        assert said["applications"] == list(each.applications)
        for key, statements in (("proofs", each.proofs), ("missing", each.missing)):
            assert [(one["code"], one["says"]) for one in said[key]] == [
                (one.code, one.says) for one in statements
            ]


@pytest.mark.parametrize("name", BACKUPS)
def test_the_report_ends_as_the_backup_deserves(life: Life, name: str) -> None:
    machine, is_good = reported(life, name), LEVELS[name] != "crash"
    assert machine["isRestorable"], machine["whyNot"]
    assert machine["expected"] == "filesystem"
    assert machine["verdict"] == ("good" if is_good else "not as demanded")
    assert life.reported[name].exit_status == (0 if is_good else 1)
    assert life.reported[name].report["backup"]["phase"] == life.taken[name].phase
