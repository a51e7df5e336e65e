"""A restored machine is made to reach nothing, looked at as it is then, and started once."""

from collections.abc import Callable, Iterable

from stillpoint.model import item as it
from stillpoint.model.errors import Denied, Forbidden, ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.writer import Cluster
from stillpoint.resources.machines import seclusion, virtual_machine
from stillpoint.velero import marks
from stillpoint.verification import scratch as scratches
from stillpoint.verification.ending import Ended
from stillpoint.verification.scratch import Scratch

_MOST_TRIES = 3


def secure(cluster: Cluster, scratch: Scratch, machine: Item, *, keeps_pod_network: bool) -> Item:
    """Takes the machine's ways to anything else away; the machine as it is then.

    Args:
        machine: as restored; KubeVirt may have written to it since.

    Raises:
        Ended: it would still reach something, or is another one.
        ReadFailed: the cluster refuses the change, or does not answer.
    """

    def change(found: Item) -> Item:
        _require_none(seclusion.obstacles(found))
        return seclusion.change(found, keeps_pod_network=keeps_pod_network)

    secured = _patch(cluster, scratch, machine, change)
    _require_none(seclusion.gaps(secured, keeps_pod_network=keeps_pod_network))
    return secured


def start(cluster: Cluster, scratch: Scratch, secured: Item, *, keeps_pod_network: bool) -> None:
    """Starts the machine, in a version of it that was looked at.

    Raises:
        Ended: it has come to reach something since, or is another one.
        ReadFailed: the cluster refuses the change, or does not answer.
    """

    def change(found: Item) -> Item:
        _require_none(seclusion.gaps(found, keeps_pod_network=keeps_pod_network))
        return seclusion.start(found)

    cluster.delete(scratches.QUOTA, scratch.name, scratches.OBJECT)
    _patch(cluster, scratch, secured, change)


def _patch(
    cluster: Cluster, scratch: Scratch, machine: Item, change: Callable[[Item], Item]
) -> Item:
    """Changes the machine as it was looked at: KubeVirt writes its status at any time."""
    for _ in range(_MOST_TRIES - 1):
        try:
            return cluster.patch(virtual_machine.RESOURCE, *it.identify(machine), change(machine))
        except (Forbidden, Denied):
            raise
        except ReadFailed:  # somebody else has changed it meanwhile
            machine = _read(cluster, scratch, machine)
    return cluster.patch(virtual_machine.RESOURCE, *it.identify(machine), change(machine))


def _read(cluster: Cluster, scratch: Scratch, machine: Item) -> Item:
    found = cluster.get(virtual_machine.RESOURCE, *it.identify(machine))
    if found is None or it.uid(found) != it.uid(machine):
        raise Ended("somebody deleted the restored machine", is_tried=False)
    if not marks.is_of_restore(found, scratch.name):
        raise Ended("it is not of the Restore any more", is_tried=False)
    return found


def _require_none(found: Iterable[str]) -> None:
    if gaps := list(found):
        raise Ended(
            f"it was not started, for it would reach further: {listing(gaps)}", is_tried=False
        )
