"""Words that every form of a report shares."""

from collections import Counter
from datetime import UTC, datetime

from stillpoint.evidence.document import Span
from stillpoint.evidence.verified import Verification
from stillpoint.model.names import printable
from stillpoint.report.model import Backup, Disk, Machine


def title(backup: Backup) -> str:
    """`velero/nightly`; where it lies if its name is not known."""
    return "/".join(filter(None, (backup.namespace, backup.name))) or backup.origin


def moment(at: datetime | None) -> str:
    """`2026-11-27 01:33:11Z`; empty if there is none."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""


def precise(at: datetime | None) -> str:
    """`01:33:11.042`, for a time line; `?` if it is not known."""
    return at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3] if at else "?"


def seconds(length_s: float | None) -> str:
    """`0.41 s`; empty if not known."""
    return "" if length_s is None else f"{length_s:.2f} s"


def frozen_s(machine: Machine) -> float | None:
    """Seconds for which the guest stood still; None if not known, or if it did not."""
    return machine.frozen.seconds if machine.frozen else None


def cut(span: Span) -> str:
    """The moments between which a snapshot was cut; empty if neither is known."""
    if span.start is None and span.end is None:
        return ""
    return f"{precise(span.start)} to {precise(span.end)}"


def methods(machine: Machine) -> str:
    """`2 snapshot, 1 skipped`."""
    counts = Counter(disk.method for disk in machine.disks)
    return ", ".join(f"{count} {method}" for method, count in counts.items()) or "none"


def restorable(machine: Machine) -> str:
    """`yes`, `no` or `unknown`."""
    return {True: "yes", False: "no", None: "unknown"}[machine.is_restorable]


def came_back(found: Verification | None) -> tuple[str, str]:
    """`guest, contradicted`, with a colour; empty if it was never restored for a test."""
    if found is None:
        return "", ""
    if found.is_bad:
        return found.summary, "red"
    return found.summary, "green" if found.is_good else "yellow"


def disk(one: Disk) -> str:
    """`root (claim db-root)`."""
    return printable(one.name if one.name == one.claim else f"{one.name} (claim {one.claim})")
