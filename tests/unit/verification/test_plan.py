"""Machines that a run tries."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stillpoint.backup_files.disk_data import Method
from stillpoint.model.errors import StillpointError
from stillpoint.report.model import Backup, Machine, Report
from stillpoint.verification import plan
from tests.unit.verification import machines

NAMES = ("shop/db", "shop/web", "lab/db", "lab/a")


def machine(title: str) -> Machine:
    namespace, name = title.split("/")
    return replace(machines.machine(), namespace=namespace, name=name)


REPORT = Report(Backup("backup velero/nightly"), tuple(map(machine, NAMES)), (), datetime.now(UTC))


def titles(*names: str) -> list[str]:
    return [one.title for one in plan.chosen(REPORT, names)]


def test_all_of_them_or_the_named_ones() -> None:
    assert titles() == sorted(NAMES)
    assert titles("shop/db", "web") == ["shop/db", "shop/web"]
    assert titles("db") == ["lab/db", "shop/db"]


def test_a_name_that_the_backup_lacks_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(StillpointError, match=r"backup velero/nightly: dbb.*lab/a, lab/db"):
        plan.chosen(REPORT, ["dbb"])
    with pytest.raises(StillpointError, match="machines: cannot verify"):
        plan.chosen(replace(REPORT, machines=()), [])


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    found = plan.chosen(REPORT, [])
    drawn = [plan.sample(found, 2, seed) for seed in range(20)]
    assert drawn == [plan.sample(found, 2, seed) for seed in range(20)]
    assert {len(one) for one in drawn} == {2}
    assert {machine for one in drawn for machine in one} == set(found)
    assert plan.sample(found, 9, 1) == found


def test_what_is_not_tried() -> None:
    assert plan.why_untried(machines.machine()) is None
    assert plan.why_untried(machines.machine(is_restorable=None)) is None
    assert plan.why_untried(machines.machine(is_restorable=False)) == ""
    alone = replace(machines.machine(), kind="VirtualMachineInstance")
    assert "stands alone" in str(plan.why_untried(alone))
    copied = machines.machine(machines.disk("root", method=Method.FILES))
    assert str(plan.why_untried(copied)).endswith("not restored for a test: root")


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ({"phase": "Completed", "volumeSnapshotsAttempted": 1}, "which nobody would delete"),
        ({"phase": "InProgress"}, "does not restore from it: it is InProgress"),
        ({}, "does not restore from it: it is New"),
        (None, "does not restore from it: it is New"),
    ],
)
def test_backups_of_which_no_machine_is_tried(status: dict[str, object] | None, cause: str) -> None:
    backup = None if status is None else {"kind": "Backup", "status": status}
    with pytest.raises(StillpointError, match=rf"backup velero/nightly: cannot verify: .*{cause}"):
        plan.usable("backup velero/nightly", backup)


def test_a_backup_whose_snapshots_are_those_of_csi_is_tried() -> None:
    status = {"phase": "PartiallyFailed", "csiVolumeSnapshotsAttempted": 3}
    plan.usable("backup velero/nightly", {"kind": "Backup", "status": status})
