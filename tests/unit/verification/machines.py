"""Machines of a report, and what their restored guests say, for verdicts on them."""

from datetime import UTC, datetime

from stillpoint.backup_files.disk_data import Method
from stillpoint.evidence.console import Answers, ConsoleLine, CopySteps, State
from stillpoint.evidence.document import Evidence, Span, Statement, Subject
from stillpoint.model.level import Level
from stillpoint.report.model import Disk, Machine, Verdict
from stillpoint.verification.model import Observed, Step

AT = datetime(2026, 11, 27, 6, tzinfo=UTC)
RECORD, OTHER = "5b0c" * 8, "77aa" * 8
BOOT, LATER_BOOT = "b-1", "b-2"
DATABASES = ("postgresql:15/main", "redis@812")


def disk(
    name: str,
    record: str = RECORD,
    applications: tuple[str, ...] = DATABASES,
    *,
    level: Level = Level.APPLICATION,
    of: str = "db",
    method: Method = Method.SNAPSHOT,
    codes: tuple[str, ...] = (),
) -> Disk:
    evidence = Evidence(
        Subject("PersistentVolumeClaim", f"db-{name}", "c"),
        Subject("VirtualMachine", of, "m"),
        level,
        level,
        tuple(Statement(code, f"{code}.") for code in codes),
        record=record,
        applications=applications,
    )
    return Disk(name, f"db-{name}", method, level, Span(AT, AT), evidence)


def bare(name: str) -> Disk:
    """A disk without evidence."""
    return Disk(name, f"db-{name}", Method.SNAPSHOT, Level.UNKNOWN, Span(None, None))


def machine(
    *disks: Disk, level: Level = Level.APPLICATION, is_restorable: bool | None = True
) -> Machine:
    held = disks or (disk("root", level=level), disk("data", level=level))
    return Machine(
        "shop", "db", "VirtualMachine", level, Verdict.GOOD, held, is_restorable=is_restorable
    )


def unrecorded(level: Level, *codes: str) -> Machine:
    """A machine whose evidence names no record, as of a guest without the package."""
    return machine(disk("root", "", (), level=level, codes=codes), level=level)


def copied(
    record: str = RECORD, verdict: Level = Level.APPLICATION, boot: str = BOOT
) -> ConsoleLine:
    return ConsoleLine(AT, State.COPIED, record, boot, verdict=verdict)


def answers(
    yes: tuple[str, ...] = ("postgresql:15/main", "redis"),
    no: tuple[str, ...] = (),
    unasked: tuple[str, ...] = (),
    more: int = 0,
    *,
    record: str = RECORD,
    boot: str = BOOT,
) -> ConsoleLine:
    said = Answers(yes, no, unasked, more, 4.1)
    return ConsoleLine(AT, State.ANSWERS, record, boot, answers=said)


def on_copy(
    outcome: str = "done",
    count: int = 2,
    failed: tuple[str, ...] = (),
    record: str = RECORD,
) -> ConsoleLine:
    steps = CopySteps(outcome, "other", count, failed)
    return ConsoleLine(AT, State.ON_COPY, record, BOOT, steps=steps)


STEPS = (
    Step("restore", 12.0), Step("disks", 3.5), Step("start", 20.0), Step("agent", 9.0),
    Step("record", 2.0), Step("answers", 4.0), Step("clear", 6.0),
)  # fmt: skip


def seen(*lines: ConsoleLine, **facts: object) -> Observed:
    """All that a machine can show, but for its lines."""
    whole = {"has_disks": True, "is_running": True, "has_agent": True, **facts}
    return Observed(STEPS, lines=lines, **whole)  # type: ignore[arg-type]
