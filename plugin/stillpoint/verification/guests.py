"""Guests in a scratch namespace that stays: each is ended, or named.

A copy of somebody's database would run on there unnoticed. A machine is ended if it is proven to be
of the verification: it is the very one that the run has restored, or the namespace is still of its
run and Velero's label says that its Restore brought the machine. Any other is only named.
"""

from collections.abc import Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.resources.machines import seclusion, virtual_machine
from stillpoint.velero import marks
from stillpoint.verification.scratch import Scratch
from stillpoint.verification.waiting import TimedOut, Waiting

_MACHINE = virtual_machine.RESOURCE


def find(cluster: Reader, scratch: Scratch) -> tuple[Sequence[Item], Sequence[Item]]:
    """Machines of the namespace that run or are to run: those of its Restore, and all others.

    Raises:
        ReadFailed: they, or the namespace, cannot be read.
    """
    namespace = cluster.get(kinds.NAMESPACE, "", scratch.name)
    if namespace is None:
        return (), ()
    is_of_run = scratch.is_of_this(namespace)
    ours: list[Item] = []
    others: list[Item] = []
    for machine in filter(_may_run, cluster.list(_MACHINE, scratch.name)):
        is_ours = is_of_run and marks.is_of_restore(machine, scratch.name)
        (ours if is_ours else others).append(machine)
    return ours, others


def end(waiting: Waiting, machines: Sequence[Item]) -> Sequence[str]:
    """Ends the guests of machines that are proven to be ours; those that may run on, in words."""
    asked = [(machine, _stop(waiting, machine)) for machine in machines]
    rest = [(machine, why or _why_not_ended(waiting, machine)) for machine, why in asked]
    return [may_run_on(machine, why) for machine, why in rest if why]


def may_run_on(machine: Item, why: str) -> str:
    """The words for a machine whose guest may run on, with the command that helps."""
    namespace, name = it.identify(machine)
    by_hand = f"virtctl stop {name} -n {namespace}"
    if it.is_being_deleted(machine):
        by_hand = f"oc get virtualmachineinstances -n {namespace} {name}"
    return f"the guest of virtual machine {namespace}/{name} may run on: {why}; HINT: {by_hand}"


def _may_run(machine: Item) -> bool:
    is_to_run = virtual_machine.starts_by_itself(machine) and not it.is_being_deleted(machine)
    return is_to_run or virtual_machine.has_instance(machine)


def _stop(waiting: Waiting, machine: Item) -> str:
    """Has KubeVirt end the guest; why that is not possible, or empty."""
    if it.is_being_deleted(machine):
        return "it is being deleted, and its instance was still there"
    try:
        waiting.cluster.patch(_MACHINE, *it.identify(machine), seclusion.stop(machine))
    except StillpointError as error:
        return str(error)
    return ""


def _why_not_ended(waiting: Waiting, machine: Item) -> str:
    try:
        waiting.awaited((_MACHINE, *it.identify(machine)), _has_no_instance)
    except (StillpointError, TimedOut) as error:
        return str(error)
    return ""


def _has_no_instance(machine: Item) -> bool:
    return not virtual_machine.has_instance(machine)
