"""Machines of a backup that a run tries, and those that need no try."""

import random
from collections.abc import Sequence

from stillpoint.backup_files.disk_data import Method
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.report.model import Machine, Report
from stillpoint.resources.machines import virtual_machine
from stillpoint.velero import own_objects
from stillpoint.velero.volumes import fates


def usable(origin: str, backup: Item | None) -> Item:
    """The backup, if a machine of it can be restored alone, and all that this makes be deleted.

    Velero makes a volume of each native snapshot of a namespace before any action of a plugin is
    asked whether it is needed (handlePVHasNativeSnapshot in pkg/restore/restore.go of v1.18).

    Args:
        origin: the backup in words.
        backup: None if it, or its archive, is not there.

    Raises:
        StillpointError: it cannot.
    """
    if backup is None or not own_objects.is_restorable(backup):
        cause = f"Velero does not restore from it: it is {own_objects.phase(backup or {}) or 'New'}"
    elif fates.has_native_snapshots(backup):
        cause = (
            "it has snapshots by a plugin of Velero for volumes: a restore of one machine makes "
            "volumes of all of them in the storage, which nobody would delete"
        )
    else:
        return backup
    raise StillpointError(origin, "cannot verify", cause)


def chosen(report: Report, names: Sequence[str]) -> Sequence[Machine]:
    """The named machines of the backup, or all; in the order of their names.

    Args:
        names: `NAME` or `NAMESPACE/NAME`.

    Raises:
        StillpointError: the backup has no machine, or not one of those.
    """
    machines = sorted(report.machines, key=lambda one: one.title)
    known = {name for one in machines for name in (one.name, one.title)}
    missing = [name for name in names if name not in known]
    if missing or not machines:
        subject = f"{report.backup.origin}: {listing(missing) or 'machines'}"
        there = listing(one.title for one in machines)
        hint = f"it has {there}" if there else ""
        raise StillpointError(subject, "cannot verify", "the backup has none", hint)
    return [one for one in machines if not names or {one.name, one.title} & set(names)]


def sample(machines: Sequence[Machine], size: int, seed: int) -> Sequence[Machine]:
    """So many of the machines, in their order; the same ones for the same seed."""
    if size >= len(machines):
        return machines
    places = random.Random(seed).sample(range(len(machines)), size)  # noqa: S311 - no secret
    return [machines[place] for place in sorted(places)]


def why_untried(machine: Machine) -> str | None:
    """Why the machine is not tried: empty by the report on the backup; None if it is tried."""
    if machine.is_restorable is False:
        return ""
    if machine.kind != virtual_machine.RESOURCE.kind:
        return "an instance that stands alone cannot be restored without starting at once"
    if copied := [disk.name for disk in machine.disks if disk.method is Method.FILES]:
        how = "through the pod that they were copied through, which is not restored for a test"
        return f"the files of these disks come back {how}: {listing(copied)}"
    return None
