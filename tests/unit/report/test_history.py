"""Several backups of the same machines."""

from dataclasses import replace
from datetime import timedelta

import pytest

from stillpoint.model.level import Level
from stillpoint.report import history
from stillpoint.report.history import Coverage
from stillpoint.report.model import Machine, Report
from tests.unit.cli import backup_reports as reports

NOW = reports.at(86_400)
A_DAY = NOW - timedelta(days=1, minutes=1)


def taken(name: str, hours_ago: float | None, *machines: Machine) -> Report:
    report = reports.report(*machines, name=name)
    started = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    return replace(report, backup=replace(report.backup, started=started), read_at=NOW)


def covered(*found: Report, level: Level = Level.FILESYSTEM) -> Coverage:
    [one] = history.coverage([("shop", "db")], history.copies(found), level, A_DAY)
    return one


def of_level(level: Level) -> Machine:
    return replace(reports.good(), level=level)


def test_copies_are_by_name_and_the_newest_first() -> None:
    found = history.copies(
        [
            taken("old", 30, reports.good("web"), reports.good("db")),
            taken("new", 6, reports.good("db")),
            taken("ageless", None, reports.good("db")),
        ]
    )
    assert [(one.machine.name, one.backup.name) for one in found] == [
        ("db", "new"), ("db", "old"), ("db", "ageless"), ("web", "old")
    ]  # fmt: skip


def test_the_command_restores_that_machine_alone() -> None:
    [copy] = history.copies([taken("nightly", 6, reports.good())])
    assert copy.command == (
        "velero restore create -n velero --from-backup nightly "
        "--annotations stillpoint.dev/only=shop/db"
    )


@pytest.mark.parametrize(
    ("machine", "wants"),
    [
        (reports.good(), ""),
        (reports.below(), ""),
        (reports.lost(), "not restorable: The bytes of cache-scratch are not in the backup."),
        (reports.unknown(), "restorable or not is unknown"),
    ],
)
def test_what_would_not_come_back_says_why(machine: Machine, wants: str) -> None:
    [copy] = history.copies([taken("nightly", 6, machine)])
    assert copy.wants == wants


def test_an_expired_backup_is_none() -> None:
    report = taken("nightly", 6, reports.good())
    expired = replace(report, backup=replace(report.backup, expires=NOW))
    assert covered(expired).why_not == "nightly: expired"


def test_a_machine_is_covered_by_its_newest_good_backup() -> None:
    found = covered(
        taken("old", 20, reports.good()),
        taken("newer", 10, reports.good()),
        taken("newest", 1, of_level(Level.CRASH)),
    )
    assert found.good is not None
    assert found.good.backup.name == "newer"
    assert found.why_not == ""


@pytest.mark.parametrize(
    ("level", "is_covered"),
    [
        (Level.APPLICATION, True),
        (Level.FILESYSTEM, True),
        (Level.STOPPED, True),
        (Level.CRASH, False),
        (Level.PAUSED, False),
        (Level.MIXED, False),
        (Level.NONE, False),
        (Level.UNKNOWN, False),
    ],
)
def test_only_what_is_proven_counts(level: Level, is_covered: bool) -> None:
    found = covered(taken("nightly", 6, of_level(level)))
    assert (found.good is not None) is is_covered
    assert found.why_not == ("" if is_covered else f"nightly: level {level}")


@pytest.mark.parametrize(
    ("report", "why_not"),
    [
        (taken("nightly", 30, reports.good()), "nightly, the newest, is too old"),
        (taken("nightly", None, reports.good()), "nightly, the newest, has no known age"),
        (taken("nightly", 6, reports.good("web")), "in no backup"),
        (taken("nightly", 6), "in no backup"),
    ],
)
def test_a_machine_without_a_new_backup_is_not_covered(report: Report, why_not: str) -> None:
    found = covered(report)
    assert found.good is None
    assert found.why_not == why_not


def test_those_without_a_backup_come_first() -> None:
    names = [("shop", "db"), ("shop", "web"), ("bank", "core")]
    copies = history.copies([taken("nightly", 6, reports.good("db"))])
    found = history.coverage(names, copies, Level.FILESYSTEM, A_DAY)
    assert [one.title for one in found] == ["bank/core", "shop/web", "shop/db"]
