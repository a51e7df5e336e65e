"""Facts about the data of a machine's disks: those of `disk_facts`, and what no disk has."""

from collections.abc import Callable, Iterator

from stillpoint.backup_files import disk_facts
from stillpoint.backup_files.disk_facts import Disks
from stillpoint.model import item as it
from stillpoint.report.case import Case
from stillpoint.resources.disks import volume


def _of_disks(fact: Callable[[Disks], Iterator[str]]) -> Callable[[Case], Iterator[str]]:
    return lambda case: fact(case.data)


claims_missing = _of_disks(disk_facts.claims_missing)
without_data = _of_disks(disk_facts.without_data)
skipped = _of_disks(disk_facts.skipped)
of_unknown_method = _of_disks(disk_facts.of_unknown_method)
snapshots_missing = _of_disks(disk_facts.snapshots_missing)
without_handle = _of_disks(disk_facts.without_handle)
snapshots_failed = _of_disks(disk_facts.snapshots_failed)
snapshots_not_ready = _of_disks(disk_facts.snapshots_not_ready)
uploads_missing = _of_disks(disk_facts.uploads_missing)
uploads_not_completed = _of_disks(disk_facts.uploads_not_completed)
uploads_of_one_claim = _of_disks(disk_facts.uploads_of_one_claim)
files_not_completed = _of_disks(disk_facts.files_not_completed)
without_way_back = _of_disks(disk_facts.without_way_back)
in_storage = _of_disks(disk_facts.in_storage)


def uploads_of_others(case: Case) -> Iterator[str]:
    """See `disk_facts`."""
    return disk_facts.uploads_of_others(case.data, case.contents.books.uids)


def operations_failed(case: Case) -> Iterator[str]:
    """See `disk_facts`."""
    return disk_facts.operations_failed(case.data, case.contents.books.failed)


def unsaved(case: Case) -> Iterator[str]:
    """Volumes of a kind that no backup has the bytes of."""
    for one in case.volumes:
        if kind := volume.unsaved_kind(one):
            yield f"{it.text(one, 'name')} ({kind})"
