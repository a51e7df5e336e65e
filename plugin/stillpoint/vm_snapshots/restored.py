"""The end of a restore by KubeVirt, and the wait for it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.resources.vm_snapshots import virtual_machine_restore
from stillpoint.vm_snapshots.errors import NoSuchObject
from stillpoint.vm_snapshots.waiting import PAUSE_S


class Outcome(StrEnum):
    """The state of a restore."""

    COMPLETE = "complete"
    FAILED = "failed"
    UNDER_WAY = "under way"


@dataclass(frozen=True, slots=True)
class RestoreState:
    """A restore as the cluster has it."""

    item: Item

    @property
    def title(self) -> str:
        """`shop/db-20260101-120000`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    @property
    def outcome(self) -> Outcome:
        """Complete, failed for good, or under way, also where KubeVirt tries again and again."""
        if virtual_machine_restore.has_failed(self.item):
            return Outcome.FAILED
        is_complete = virtual_machine_restore.is_complete(self.item)
        return Outcome.COMPLETE if is_complete else Outcome.UNDER_WAY


def wait(
    reader: Reader,
    identity: tuple[str, str],
    longest_s: float,
    clock: Clock,
    report: Callable[[int, int, str], None],
) -> RestoreState:
    """Waits until the restore is complete or has failed, at most so long; as last seen.

    Args:
        identity: namespace and name.

    Raises:
        NoSuchObject: there is no such restore, or it was deleted meanwhile.
        ReadFailed: a request failed.
    """
    began = clock.now()
    while True:
        found = reader.get(virtual_machine_restore.RESOURCE, *identity)
        if found is None:
            subject = f"VirtualMachineRestore {'/'.join(identity)}"
            raise NoSuchObject(subject, "cannot wait for it", "there is no such restore")
        state = RestoreState(found)
        report(0, 1, virtual_machine_restore.trouble(found))
        is_late = (clock.now() - began).total_seconds() >= longest_s
        if state.outcome is not Outcome.UNDER_WAY or is_late:
            return state
        clock.sleep(PAUSE_S)
