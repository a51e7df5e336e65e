"""Machines that a run tries."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

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
