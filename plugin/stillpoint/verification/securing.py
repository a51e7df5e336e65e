"""A restored machine is made to reach nothing, looked at again, and started once."""

from collections.abc import Iterable

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.writer import Cluster
from stillpoint.resources.machines import seclusion, virtual_machine
from stillpoint.verification import scratch as scratches
from stillpoint.verification.ending import Ended
from stillpoint.verification.scratch import Scratch


def secure(cluster: Cluster, machine: Item, *, keeps_pod_network: bool) -> Item:
    """Takes the machine's ways to anything else away; the machine as it is then.

    Raises:
        Ended: it would still reach something.
        ReadFailed: the cluster refuses the change, or does not answer.
    """
    identity = it.identify(machine)
    _require_none(seclusion.obstacles(virtual_machine.template(machine)))
    change = seclusion.change(machine, keeps_pod_network=keeps_pod_network)
    cluster.patch(virtual_machine.RESOURCE, *identity, change)
    secured = cluster.get(virtual_machine.RESOURCE, *identity)
    if secured is None or it.uid(secured) != it.uid(machine):
        raise Ended("somebody deleted the restored machine", is_tried=False)
    _require_none(seclusion.gaps(secured, keeps_pod_network=keeps_pod_network))
    return secured


def start(cluster: Cluster, scratch: Scratch, secured: Item) -> None:
    """Starts the machine, if it is still as it was looked at.

    Raises:
        ReadFailed: somebody has changed it, or the cluster does not answer.
    """
    cluster.delete(scratches.QUOTA, scratch.name, scratches.OBJECT)
    cluster.patch(virtual_machine.RESOURCE, *it.identify(secured), seclusion.start(secured))


def _require_none(found: Iterable[str]) -> None:
    if gaps := list(found):
        raise Ended(
            f"it was not started, for it would reach further: {listing(gaps)}", is_tried=False
        )
