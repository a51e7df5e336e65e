"""Several backups of the same machines."""

from dataclasses import replace
from datetime import timedelta

import pytest

from stillpoint.evidence.verified import Agreement, CameBack, Verification
from stillpoint.model.level import Level
from stillpoint.report import history
from stillpoint.report.history import Coverage, Demand, LiveMachine
from stillpoint.report.model import Backup, Machine, Report
from tests.unit.cli import backup_reports as reports
from tests.unit.report import world as of

NOW = reports.at(86_400)
A_DAY = NOW - timedelta(days=1, minutes=1)


def taken(name: str, hours_ago: float | None, *machines: Machine) -> Report:
    of_uid = [one if one.uid else replace(one, uid=f"uid-{one.name}") for one in machines]
    report = reports.report(*of_uid, name=name)
    started = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    return replace(report, backup=replace(report.backup, started=started), read_at=NOW)


def live(name: str = "db", namespace: str = "shop", *claims: str) -> LiveMachine:
    return LiveMachine((namespace, name), f"uid-{name}", frozenset(claims))


def covered(
    *found: Report, level: Level = Level.FILESYSTEM, machine: LiveMachine | None = None
) -> Coverage:
    demand = Demand(level, A_DAY, NOW)
    [one] = history.coverage([machine or live()], history.copies(found), demand)
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
        (taken("nightly", -480, reports.good()), "nightly, the newest, begins in the future"),
    ],
)
def test_a_machine_without_a_new_backup_is_not_covered(report: Report, why_not: str) -> None:
    found = covered(report)
    assert found.good is None
    assert found.why_not == why_not


def test_what_its_guest_contradicts_covers_nothing() -> None:
    facts = CameBack.GUEST, CameBack.GUEST
    contradicted, confirmed = (
        replace(reports.good(), verification=Verification(NOW, *facts, one))
        for one in (Agreement.CONTRADICTED, Agreement.CONFIRMED)
    )
    assert covered(taken("nightly", 6, confirmed)).good is not None
    assert covered(taken("nightly", 6, contradicted), level=Level.CRASH).why_not == (
        "nightly: restored for a test, its guest contradicts the evidence"
    )


def test_those_without_a_backup_come_first() -> None:
    machines = [live(), live("web"), live("core", "bank")]
    copies = history.copies([taken("nightly", 6, reports.good("db"))])
    found = history.coverage(machines, copies, Demand(Level.FILESYSTEM, A_DAY, NOW))
    assert [one.title for one in found] == ["bank/core", "shop/web", "shop/db"]


def test_clocks_may_differ_a_little() -> None:
    assert covered(taken("nightly", -0.05, reports.good())).good is not None


@pytest.mark.parametrize("uid", ["uid-of-another-cluster", ""])
def test_another_machine_of_the_name_covers_nothing(uid: str) -> None:
    another = taken("nightly", 6, reports.good())
    [machine] = another.machines
    found = covered(replace(another, machines=(replace(machine, uid=uid),)))
    assert found.good is None
    assert found.why_not == "in no backup, but another machine of this name is"


def test_a_machine_without_a_uid_is_in_no_backup() -> None:
    backup = taken("nightly", 6, reports.good())
    bare = replace(backup, machines=(replace(backup.machines[0], uid=""),))
    assert covered(bare, machine=LiveMachine(("shop", "db"), "", frozenset())).good is None


def test_a_disk_that_was_added_since_is_not_covered() -> None:
    backup = taken("nightly", 6, reports.good())
    held = live("db", "shop", "db-root", "db-data", "db-wal")
    assert covered(backup, machine=held).good is not None
    grown = live("db", "shop", "db-root", "db-data", "db-wal", "db-new")
    assert covered(backup, machine=grown).why_not == (
        "nightly: without disks that it has by now: db-new"
    )


def test_a_live_machine_has_the_claims_of_its_disks() -> None:
    machine = of.virtual_machine("db", "root", "data", needs="db-cloud-init")[0]
    found = LiveMachine.read(machine)
    assert found == LiveMachine(("shop", "db"), "uid-db", frozenset({"db-root", "db-data"}))
    assert {one.uid for one in of.report(of.good()).machines} == {"uid-db", "uid-archive"}


@pytest.mark.parametrize("name", ["nightly$(id)", "-n", "night ly", "x;id", "UPPER", "", "\x1b[2J"])
def test_no_command_has_a_name_that_kubernetes_does_not_take(name: str) -> None:
    [copy] = history.copies([taken(name, 6, reports.good())])
    assert copy.command == ""
    [copy] = history.copies([taken("nightly", 6, reports.good(name))])
    assert copy.command == ""


def test_without_a_backup_object_nobody_knows_whether_it_comes_back() -> None:
    report = taken("nightly", 6, reports.good(), replace(reports.lost(), uid="uid-cache"))
    bare = replace(report, backup=Backup("archive x.tar.gz"))
    lost, good = history.copies([bare])
    assert "Backup object" in good.wants
    assert (lost.is_restorable, good.is_restorable) == (False, None)
    assert good.title == "archive x.tar.gz"
