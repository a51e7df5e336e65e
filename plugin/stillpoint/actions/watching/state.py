"""The state of an instance, as observations have it."""

from collections.abc import Iterable

from stillpoint.evidence.document import Subject
from stillpoint.evidence.observations import State
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance

_LONGEST = 253  # letters, as of the name of a node
_MOST = 16  # launchers, or pods that attach disks; a live migration has two of each


def of(instance: Item | None, machine: Item | None = None) -> State:
    """The state of an instance, or that there is none.

    Args:
        machine: its VirtualMachine, if that was read with it.
    """
    version = it.text(machine or {}, "metadata", "resourceVersion")
    if not instance:
        return State(machine_version=version)
    return State(
        uid=it.uid(instance),
        phase=_short(virtual_machine_instance.phase(instance)),
        launchers=_sorted(virtual_machine_instance.active_pods(instance)),
        node=_short(it.text(instance, "status", "nodeName")),
        agent_since=_short(virtual_machine_instance.since(instance, "AgentConnected")),
        paused_since=_short(virtual_machine_instance.since(instance, "Paused")),
        is_frozen=virtual_machine_instance.is_frozen(instance),
        is_migrating=virtual_machine_instance.is_migrating(instance),
        machine_version=version,
        os=_short(it.text(instance, "status", "guestOSInfo", "id")),
        attachments=_sorted(virtual_machine_instance.attachment_pod_uids(instance)),
    )


def _sorted(uids: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_short, sorted(set(uids))))[:_MOST]


def _short(text: str) -> str:
    """A text that anybody may have written, who may patch instances."""
    return text[:_LONGEST]


def subject(instance: Item) -> Subject:
    """The machine of an instance; the instance itself if none owns it."""
    kind = virtual_machine.RESOURCE.kind
    for owner in it.owners(instance):
        if owner.get("kind") == kind:
            return Subject(kind, it.text(owner, "name"), it.text(owner, "uid"))
    return Subject(virtual_machine_instance.RESOURCE.kind, it.name(instance), it.uid(instance))
