"""Guests that were migrated or paused while they were frozen: neither hook nor timer thaws them.

Velero's post hook runs in the pod of the pre hook, which is over after a live migration. KubeVirt's
safety thaw is a timer of the virt-launcher in that pod, and the one that has the guest now knows of
no freeze. No migration is refused because a guest stands still: only a freeze is, while one goes on
(v1.9: pkg/virt-launcher/virtwrap/storage/fsfreeze.go). The agent of a paused guest answers neither
the hook nor the timer, and each tries once. So the plugin thaws such a guest.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from stillpoint.actions.watching import others, state
from stillpoint.evidence.observations import Look, Observations, State, Thaw
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.resources.machines import virtual_machine_instance
from stillpoint.velero.context import BackupContext

_PATH = "/apis/subresources.kubevirt.io/v1/namespaces/{}/virtualmachineinstances/{}/unfreeze"


def is_stranded(seen: Observations, now: State) -> bool:
    """True if a guest stands still, and whoever should have thawed it for this backup cannot.

    Args:
        seen: from before the hook on.
        now: the latest state.
    """
    first = seen.looks[0].state if seen.looks else State()
    is_of_hook = seen.is_before_hook and seen.has_hook is not False and not first.is_frozen
    has_moved = first.uid == now.uid and bool(first.node) and first.node != now.node
    was_paused = first.uid == now.uid and any(look.state.paused_since for look in seen.looks[1:])
    is_there = now.phase == "Running" and not now.is_migrating and not now.paused_since
    is_left = now.is_frozen and not _was_thawed(seen)
    return is_of_hook and (has_moved or was_paused) and is_there and is_left


def is_paused(seen: Observations, now: State) -> bool:
    """True if a guest will be stranded when somebody resumes it."""
    return bool(now.paused_since) and is_stranded(
        replace(seen, looks=(*seen.looks, Look(seen.began, now))), replace(now, paused_since="")
    )


def _was_thawed(seen: Observations) -> bool:
    """True if the freeze of this backup is over: a later one is somebody else's."""
    states = [look.state.is_frozen for look in seen.looks]
    return (True, False) in pairwise(states) or any(thaw.answered for thaw in seen.thaws)


def thaw(seen: Observations, instance: tuple[str, str], context: BackupContext) -> Thaw | None:
    """Thaws a stranded guest; None if it is none, or none any more.

    Args:
        instance: its namespace and name.

    Raises:
        StillpointError: it stands still: somebody else may need that, or the request failed.
    """
    found = context.cluster.current(virtual_machine_instance.RESOURCE, *instance)
    if found is None or not is_stranded(seen, state.of(found)):
        return None
    if reason := next(_reasons_to_wait(found, context), ""):
        raise Refusal(it.describe(found), "cannot thaw it", reason)
    sent = context.clock.now()
    context.writer.put(virtual_machine_instance.SUBRESOURCES, *instance, "unfreeze")
    return Thaw(sent, context.clock.now())


def trouble(instance: tuple[str, str], error: Exception) -> str:
    """The sentence about a guest that still stands still, with what a person can do."""
    return (
        f"guest {'/'.join(instance)} stands still: it was migrated or paused while it was frozen, "
        f"and neither Velero's hook nor KubeVirt's timer thaws it any more: {error}; HINT: kubectl "
        f"replace --raw {_PATH.format(*instance)} -f /dev/null"
    )


def _reasons_to_wait(now: Item, context: BackupContext) -> Iterator[str]:
    yield from others.backups(it.namespace(now), context, are_new=True)
    yield from others.at_work(now, context)
