"""The findings of a rehearsal, virtual machine by virtual machine."""

from collections.abc import Iterator
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps.restore import RestoredItem
from stillpoint.rehearsal.verdict import verdict, window
from stillpoint.rehearsal.verdict.case import Case, Disk, Role, Surroundings
from stillpoint.rehearsal.verdict.verdict import Judged
from stillpoint.rehearsal.verdict.window import Window
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine, or an instance that stands alone, in backup and restore.

    Attributes:
        state: KubeVirt's printable status; empty if not known.
        block: items that the backup takes between the same hooks as the machine.
        launchers: pods of the machine in which a guest runs.
        stored: items of the machine in the backup.
        restored: the restore's results for these items.
        window: the frozen window; None if nothing freezes the guest, or no snapshot is taken.
    """

    reference: Reference
    judged: Judged
    state: str = ""
    disks: tuple[Disk, ...] = ()
    block: tuple[Reference, ...] = ()
    launchers: tuple[Reference, ...] = ()
    stored: tuple[Reference, ...] = ()
    restored: tuple[RestoredItem, ...] = ()
    window: Window | None = None

    @property
    def title(self) -> str:
        """`shop/db`."""
        return f"{self.reference.namespace}/{self.reference.name}"

    @property
    def hotplugged(self) -> tuple[Disk, ...]:
        """The disks that a pod of their own attaches."""
        return tuple(disk for disk in self.disks if disk.role is Role.HOT_PLUGGED)


def of(around: Surroundings) -> tuple[Machine, ...]:
    """The machines that the backup comes to, in the order of their names."""
    found = sorted(_machines(around), key=lambda one: (one.namespace, one.name))
    return tuple(_machine(reference, around) for reference in found)


def _machines(around: Surroundings) -> Iterator[Reference]:
    for reference in around.backup.items:
        if is_machine(reference, around.cluster[reference]):
            yield reference


def is_machine(reference: Reference, item: Item) -> bool:
    """True for a virtual machine, and for an instance that stands alone."""
    if reference.is_of(virtual_machine.RESOURCE):
        return True
    is_instance = reference.is_of(virtual_machine_instance.RESOURCE)
    return is_instance and not virtual_machine_instance.is_owned(item)


def _machine(reference: Reference, around: Surroundings) -> Machine:
    try:
        case = Case.of(reference, around)
        judged = verdict.judge(case)
    except MalformedItem as error:
        return Machine(reference, verdict.unreadable(reference, error))
    return Machine(
        reference,
        judged,
        virtual_machine.state(case.machine) or it.text(case.machine, "status", "phase"),
        case.disks,
        case.block,
        case.launchers,
        tuple(part for part in case.parts if part in around.backup.stored),
        tuple(around.restored[part] for part in case.parts if part in around.restored),
        None if around.destination else window.of(case),
    )
