"""Guests that were migrated or paused while they were frozen: neither hook nor timer thaws them.

Velero's post hook runs in the pod of the pre hook, which is over after a live migration. KubeVirt's
safety thaw is a timer of the virt-launcher in that pod, and the one that has the guest now knows of
no freeze. No migration is refused because a guest stands still: only a freeze is, while one goes on
(v1.9: pkg/virt-launcher/virtwrap/storage/fsfreeze.go). The agent of a paused guest answers neither
the hook nor the timer, and each tries once. So the plugin thaws such a guest.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise, takewhile

from stillpoint.actions.watching import others, state
from stillpoint.evidence.observations import Look, Observations, State, Thaw
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.resources.machines import kubevirt, virtual_machine_instance
from stillpoint.velero.context import BackupContext

_PATH = "/apis/subresources.kubevirt.io/v1/namespaces/{}/virtualmachineinstances/{}/unfreeze"

_SURELY_SETTLED = timedelta(seconds=30)
"""KubeVirt's status of a guest that runs with its agent says within six that it is frozen."""


def is_stranded(seen: Observations, now: State) -> bool:
    """True if a guest stands still, and whoever should have thawed it for this backup cannot.

    Args:
        seen: from before the hook on.
        now: the latest state.
    """
    first = seen.looks[0].state if seen.looks else State()
    is_of_hook = seen.is_before_hook and seen.has_hook is not False and not first.is_frozen
    is_there = now.phase == "Running" and not now.is_migrating and not now.paused_since
    is_left = now.is_frozen and first.uid == now.uid and not _was_thawed(seen)
    away = [place for place, look in enumerate(seen.looks) if _is_away(look.state, now, place)]
    return is_of_hook and is_there and is_left and bool(away) and not _ran(seen, away[-1] + 1)


def _is_away(then: State, now: State, place: int) -> bool:
    """True if hook and timer of then do not reach the guest of now, or did not reach it then.

    One that was paused at the very first was not frozen so.
    """
    return then.node not in ("", now.node) or bool(place and then.paused_since)


def _ran(seen: Observations, since: int) -> bool:
    """True if a guest surely ran unfrozen at some time from one of its looks on.

    Whoever has frozen it later reaches it: hook or timer thaws it.
    """
    return any(
        later.received - look.received >= _SURELY_SETTLED
        and _is_unfrozen(look.state)
        and _is_of_one_watch(seen, look, later)
        for look, later in pairwise(seen.looks[since:])
    )


def _is_unfrozen(then: State) -> bool:
    is_held = then.is_frozen or then.is_migrating or then.paused_since
    return then.phase == "Running" and bool(then.agent_since) and not is_held


def _is_of_one_watch(seen: Observations, look: Look, later: Look) -> bool:
    """True if one watch saw both of two looks, and so nothing was missed in between.

    The begin of a watch is noted right after its first look: a wrong yes lasts no longer.
    """
    begun = [span.start for span in seen.watches if span.start and span.start <= later.received]
    return later.asked is None and bool(begun) and max(begun) <= look.received


def is_forgotten(seen: Observations, now: datetime) -> bool:
    """True if a guest was seen frozen for so long that KubeVirt's timer would have thawed it.

    The timer is everybody's: no other backup can count on the freeze any more.
    """
    frozen = list(takewhile(lambda look: look.state.is_frozen, reversed(seen.looks)))
    longest = timedelta(seconds=kubevirt.SAFETY_THAW_S)
    return bool(frozen) and now - frozen[-1].received >= longest


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
    if reason := next(_reasons_to_wait(seen, found, context), ""):
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


def _reasons_to_wait(seen: Observations, now: Item, context: BackupContext) -> Iterator[str]:
    if not is_forgotten(seen, context.clock.now()):
        yield from others.backups(it.namespace(now), context, are_new=True)
    yield from others.at_work(now, context)
