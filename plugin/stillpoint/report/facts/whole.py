"""Facts about the backup as a whole that count for each machine, and about a machine's objects."""

from collections.abc import Iterator

from stillpoint.report.case import Case
from stillpoint.resources import cluster_needs
from stillpoint.velero import own_objects


def failed(case: Case) -> Iterator[str]:
    """The phase of a backup that failed as a whole, with Velero's reason."""
    backup = case.contents.backup or {}
    if own_objects.phase(backup) in ("Failed", "FailedValidation"):
        yield own_objects.failure(backup) or own_objects.phase(backup)


def going_on(case: Case) -> Iterator[str]:
    """The phase of a backup that has not ended."""
    backup = case.contents.backup
    if backup is not None and not own_objects.has_ended(backup):
        yield own_objects.phase(backup) or "New"


def missing(case: Case) -> Iterator[str]:
    """Objects of its namespace that the machine needs and the backup does not hold."""
    return (str(one) for one in case.missing)


def elsewhere(case: Case) -> Iterator[str]:
    """Objects outside of its namespace that the machine needs and the backup does not hold."""
    objects = case.contents.objects
    claims = [disk.item for disk in case.disks if disk.item]
    for one in cluster_needs.of_machine(case.machine, claims):
        if objects is None or not objects.holds(one):
            yield str(one)
