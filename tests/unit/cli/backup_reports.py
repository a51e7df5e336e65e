"""Reports on backups, for the outputs that show them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stillpoint.backup_files.disk_data import Method
from stillpoint.evidence.document import Event, Evidence, Span, Statement, Subject
from stillpoint.evidence.verified import Agreement, CameBack, Verification
from stillpoint.model.level import Level
from stillpoint.model.weight import Weight
from stillpoint.report.model import Backup, Disk, Machine, Problem, Report, Verdict

BEGAN = datetime(2026, 11, 27, 2, 0, 3, 120_000, UTC)

HELD = Statement(
    "held-by-guest",
    "the guest said 02:00:03.120Z, before the snapshot: at rest are postgresql:15/main; "
    "record 7f3a1c is on the disk",
)
LASTED = Statement(
    "nothing-lost", "and the guest said afterwards that all of them were, until their release"
)
SEEN = Statement(
    "hook-succeeded",
    "KubeVirt's freeze reported success to Velero, which took the disk after that",
)
NO_LOG = Statement(
    "held-by-guest",
    "the guest's console has no word of a hold before the snapshot, or has contradictory ones",
)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def span(start: float | None, end: float | None) -> Span:
    return Span(*(None if one is None else at(one) for one in (start, end)))


def disk(
    name: str,
    level: Level = Level.APPLICATION,
    cut: Span | None = None,
    proofs: tuple[Statement, ...] = (HELD, LASTED),
    missing: tuple[Statement, ...] = (),
) -> Disk:
    """A snapshot of 40 GiB, with its evidence."""
    evidence = Evidence(
        claim=Subject("PersistentVolumeClaim", f"db-{name}", "11"),
        machine=Subject("VirtualMachine", "db", "22"),
        level=level,
        machine_level=level,
        proofs=proofs,
        missing=missing,
        record="7f3a1c" if level is Level.APPLICATION else "",
        applications=("postgresql:15/main",) if level is Level.APPLICATION else (),
    )
    return Disk(
        name, f"db-{name}", Method.SNAPSHOT, level, cut or span(0.9, 1.3), evidence,
        40 * 2**30, "rbd-4be2-0001", "rbd.csi.ceph.com",
    )  # fmt: skip


def timeline(*extra: Event) -> tuple[Event, ...]:
    events = (
        Event(at(0.0), "plugin", "status-changed", "KubeVirt's status changes: running, frozen"),
        Event(at(0.8), "plugin", "request", "The plugin asked for the snapshots."),
        Event(at(1.31), "plugin", "snapshot-taken", "the storage has the snapshot of db-data"),
        Event(at(1.52), "node", "guest-released", "the guest says: it releases its applications"),
        Event(at(1.6), "plugin", "thawed", "KubeVirt answers that it is thawed"),
        *extra,
    )
    return tuple(sorted(events, key=lambda event: event.at))


def good(name: str = "db") -> Machine:
    cuts = (span(0.84, 1.12), span(0.86, 1.3), span(0.86, 1.24))
    disks = tuple(
        disk(part, cut=cut) for part, cut in zip(("root", "data", "wal"), cuts, strict=True)
    )
    return Machine(
        "shop", name, "VirtualMachine", Level.APPLICATION, Verdict.GOOD, disks,
        demanded=Level.APPLICATION, expected=Level.APPLICATION, frozen=span(0.0, 1.6),
        spread_s=0.46, is_restorable=True, events=timeline(),
    )  # fmt: skip


def below(name: str = "web") -> Machine:
    late = disk("data", Level.CRASH, span(2.4, 3.1), (), (NO_LOG,))
    early = disk("root", Level.FILESYSTEM, span(0.5, 0.9), (SEEN,))
    thaw = Event(at(1.9), "plugin", "status-changed", "KubeVirt's status changes: running")
    problem = Problem(
        "below-demanded", Weight.DEGRADES, ("filesystem, reached mixed",),
        "demanded was filesystem, reached mixed",
        "stillpoint report nightly --explain shop/web has every proof, and what is missing",
    )  # fmt: skip
    return Machine(
        "shop", name, "VirtualMachine", Level.MIXED, Verdict.BELOW, (early, late),
        demanded=Level.FILESYSTEM, expected=Level.FILESYSTEM, frozen=span(0.0, 1.9),
        spread_s=2.6, problems=(problem,), is_restorable=True, events=timeline(thaw),
    )  # fmt: skip


def lost(name: str = "cache") -> Machine:
    empty = Disk("scratch", f"{name}-scratch", Method.NONE, Level.UNKNOWN, Span(None, None))
    problem = Problem(
        "disk-without-data", Weight.BLOCKS, (f"{name}-scratch",),
        f"The bytes of {name}-scratch are not in the backup.",
        "Give its StorageClass a VolumeSnapshotClass, or move its data.", is_of_restore=True,
    )  # fmt: skip
    return Machine(
        "shop", name, "VirtualMachine", Level.UNKNOWN, Verdict.NOT_RESTORABLE, (empty,),
        problems=(problem,), is_restorable=False,
    )  # fmt: skip


def unknown(name: str = "legacy") -> Machine:
    bare = Disk("root", name, Method.MOVED, Level.UNKNOWN, span(None, 4.0), size_bytes=2**34)
    problem = Problem(
        "no-evidence", Weight.UNCERTAIN, (name,), "Nothing tells how consistent the disks are.",
        "Install the plugin.",
    )  # fmt: skip
    return Machine(
        "old", name, "VirtualMachineInstance", Level.UNKNOWN, Verdict.UNKNOWN, (bare,),
        problems=(problem,),
    )  # fmt: skip


def report(*machines: Machine, problems: tuple[Problem, ...] = (), name: str = "nightly") -> Report:
    backup = Backup(
        f"backup velero/{name}", name, "velero", "0d3b5c1e-5d6a-4a54-8a5e-6f1f6a1c2b3d",
        "PartiallyFailed", at(-3), at(42), at(30 * 86400), 1, 0, 6, 0, has_evidence=True,
    )  # fmt: skip
    return Report(backup, machines, problems, at(86400))


def verified() -> Report:
    """Two of its machines were restored for a test: one came back, one contradicted."""
    well = Verification(at(7200), CameBack.APPLICATION, CameBack.GUEST, Agreement.CONFIRMED, 48.5)
    why = "its disk carries another record"
    ill = Verification(at(9000), CameBack.GUEST, CameBack.GUEST, Agreement.CONTRADICTED, 9.0, why)
    return report(
        replace(good(), verification=well), replace(below(), verification=ill), unknown()
    )  # fmt: skip


def mixed() -> Report:
    return report(lost(), below(), unknown(), good())


def many(number: int) -> Report:
    """Of so many machines with three disks, one in ten with something wrong."""

    def each() -> Iterator[Machine]:
        for count in range(number):
            yield below(f"web-{count:04}") if count % 10 == 0 else good(f"db-{count:04}")

    return report(*sorted(each(), key=lambda one: list(Verdict).index(one.verdict)))
