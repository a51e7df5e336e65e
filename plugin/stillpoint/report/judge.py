"""The report on the contents of a backup."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from stillpoint.backup_files.disk_data import DiskData, Method
from stillpoint.backup_files.stored import StoredObjects
from stillpoint.evidence.document import Event, Evidence, Span
from stillpoint.model import item as it
from stillpoint.model import quantity
from stillpoint.model.errors import MalformedItem
from stillpoint.model.level import Level
from stillpoint.model.reference import Reference
from stillpoint.model.weight import Weight
from stillpoint.report import case as cases
from stillpoint.report import of_backup, problems
from stillpoint.report.case import Case, StoredDisk
from stillpoint.report.contents import Contents
from stillpoint.report.model import Disk, Machine, Problem, Report, Verdict, verdict
from stillpoint.resources.disks import volume_snapshot_content
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero.volumes import data_upload

_KINDS = {
    str(one): one.kind for one in (virtual_machine.RESOURCE, virtual_machine_instance.RESOURCE)
}
_NOT_KNOWN = Span(None, None)


def judge(contents: Contents, now: datetime) -> Report:
    """The report.

    Raises:
        MalformedItem: the Backup is none.
    """
    backup = of_backup.record(contents)
    objects = contents.objects
    found = (
        [_machine(one, contents, objects, now) for one in cases.references(objects)]
        if objects
        else []
    )
    return Report(
        backup=backup,
        machines=tuple(sorted(found, key=_worst_first)),
        problems=of_backup.problems(contents, backup, now),
        read_at=now,
    )


def _worst_first(machine: Machine) -> tuple[int, str]:
    return tuple(Verdict).index(machine.verdict), machine.title


def _machine(
    reference: Reference, contents: Contents, objects: StoredObjects, now: datetime
) -> Machine:
    try:
        case = cases.of_machine(reference, contents, objects, now)
        return _judged(case, problems.of_case(case))
    except MalformedItem as error:
        return _unreadable(reference, error, contents)


def _unreadable(reference: Reference, error: MalformedItem, contents: Contents) -> Machine:
    about = (f"{error.subject}: {error.cause}",)
    found = problems.problem(problems.UNREADABLE, about, reference, contents.backup)
    kind = _KINDS[reference.group_resource]
    names = reference.namespace, reference.name
    return Machine(*names, kind, Level.UNKNOWN, verdict([found]), problems=(found,))


def _judged(case: Case, found: tuple[Problem, ...]) -> Machine:
    evidences = case.evidences
    return Machine(
        namespace=case.reference.namespace,
        name=case.reference.name,
        kind=_KINDS[case.reference.group_resource],
        level=case.level,
        verdict=verdict(found),
        disks=tuple(map(_disk, case.disks)),
        demanded=case.demanded,
        expected=case.expected if case.taken else None,
        frozen=_frozen(case.reference.name, evidences),
        spread_s=_spread_s([one.evidence.cut for one in case.taken if one.evidence], case.taken),
        problems=found,
        is_restorable=_is_restorable(found),
        events=_events(evidences),
        uid=it.uid(case.machine),
        verification=case.verification,
    )


def _is_restorable(found: Iterable[Problem]) -> bool | None:
    weights = {one.weight for one in found if one.is_of_restore}
    if Weight.BLOCKS in weights:
        return False
    return None if Weight.UNCERTAIN in weights else True


def _frozen(machine: str, evidences: Sequence[Evidence]) -> Span | None:
    """The time of the machine's own guest: a shared disk may have that of another."""
    own = (one.frozen for one in evidences if one.machine.name == machine)
    return next(filter(None, own), None)


def _spread_s(cuts: Sequence[Span], taken: Sequence[StoredDisk]) -> float | None:
    """Seconds between the first and the last snapshot, at most."""
    starts = [one.start for one in cuts if one.start]
    ends = [one.end for one in cuts if one.end]
    if not taken or len(starts) < len(taken) or len(ends) < len(taken):
        return None
    return 0.0 if len(taken) == 1 else (max(ends) - min(starts)).total_seconds()


def _events(evidences: Iterable[Evidence]) -> tuple[Event, ...]:
    """Each event once: the evidence of every disk has those of the whole machine."""
    found = dict.fromkeys(event for one in evidences for event in one.events)
    return tuple(sorted(found, key=lambda event: event.at))


def _disk(disk: StoredDisk) -> Disk:
    return Disk(
        name=disk.name,
        claim=disk.claim.name,
        method=disk.data.method,
        level=disk.level,
        cut=disk.evidence.cut if disk.evidence else _NOT_KNOWN,
        evidence=disk.evidence,
        size_bytes=_size_bytes(disk.data),
        handle=disk.data.handle,
        driver=_driver(disk.data),
        shared_with=disk.shared_with,
    )


def _size_bytes(disk: DiskData) -> int | None:
    said = (
        data_upload.moved_bytes(disk.upload) if disk.upload else None,
        volume_snapshot_content.restore_bytes(disk.content) if disk.content else None,
        disk.info.size_bytes if disk.info else None,
    )
    return next(filter(None, said), None) or _requested_bytes(disk)


def _requested_bytes(disk: DiskData) -> int | None:
    text = it.text(disk.item or {}, "spec", "resources", "requests", "storage")
    try:
        return int(quantity.parse(text)) if text else None
    except ValueError:
        return None


def _driver(disk: DiskData) -> str:
    if disk.method is Method.MOVED:
        return data_upload.driver(disk.upload) if disk.upload else ""
    return volume_snapshot_content.driver(disk.content) if disk.content else ""
