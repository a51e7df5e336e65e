"""Facts about the backup as a whole that count for each machine, and about a machine's objects."""

from collections.abc import Iterator
from datetime import datetime

from stillpoint.report.case import Case
from stillpoint.report.contents import Contents
from stillpoint.resources import cluster_needs
from stillpoint.velero import backup_status, own_objects


def failed(case: Case) -> Iterator[str]:
    """The reason why the backup failed as a whole."""
    return why_failed(case.contents)


def being_deleted(case: Case) -> tuple[str, ...]:
    """Velero is deleting the backup."""
    return ("",) if is_being_deleted(case.contents) else ()


def going_on(case: Case) -> Iterator[str]:
    """The phase of a backup that has not ended."""
    backup = case.contents.backup
    has_ended = backup is None or own_objects.has_ended(backup) or is_being_deleted(case.contents)
    if backup is not None and not has_ended:
        yield own_objects.phase(backup) or "New"


def expired(case: Case) -> tuple[str, ...]:
    """The backup has expired."""
    return ("",) if has_expired(case.contents, case.read_at) else ()


def why_failed(contents: Contents) -> Iterator[str]:
    """Velero's reason why a backup failed as a whole, else its phase; nothing if it did not."""
    backup = contents.backup or {}
    if own_objects.phase(backup) in ("Failed", "FailedValidation"):
        yield own_objects.failure(backup) or own_objects.phase(backup)


def is_being_deleted(contents: Contents) -> bool:
    """True if Velero is deleting the backup: its snapshots go first, its object last."""
    return own_objects.phase(contents.backup or {}) == "Deleting"


def has_expired(contents: Contents, now: datetime) -> bool:
    """True if Velero deletes the backup at any moment."""
    expires = backup_status.expires(contents.backup or {})
    return expires is not None and expires <= now


def missing(case: Case) -> Iterator[str]:
    """Objects of its namespace that the machine needs and the backup does not hold."""
    return (str(one) for one in case.missing)


def elsewhere(case: Case) -> Iterator[str]:
    """Objects outside of its namespace that the machine needs and the backup does not hold."""
    objects = case.contents.objects
    claims = [disk.item for disk in case.data if disk.item]
    for one in cluster_needs.of_machine(case.machine, claims):
        if objects is None or not objects.holds(one):
            yield str(one)
