"""Thaws a guest as soon as the storage has the last of its disks, if the account may.

Velero's post hook thaws after the whole item block: its volumes, contents and the machine's own
objects are 0.1 s per disk in which the guest need not stand still. KubeVirt's subresource
`unfreeze` thaws the same guest, and the post hook, which then finds the guest thawed, succeeds all
the same (pkg/virt-launcher/virtwrap/storage/fsfreeze.go of KubeVirt v1.9).

All who freeze a guest share one freeze, and one thaw ends it for all of them. So in doubt the guest
is left to the post hook.
"""

from collections.abc import Iterable, Iterator

from stillpoint.actions import policies, surroundings
from stillpoint.actions.backup.snapshots import disks
from stillpoint.actions.backup.snapshots.disks import Freeze
from stillpoint.actions.watching import guests, others
from stillpoint.evidence.observations import Thaw
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, StillpointError
from stillpoint.model.item import Item
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero import pod_hooks
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes.policy import Fate


def when_taken(freeze: Freeze, context: BackupContext) -> None:
    """Thaws the guests of a freeze, unless something needs it still.

    A thaw that fails is no error: the post hook follows.
    """
    for guest in freeze.guests:
        namespace, name = it.identify(guest)
        if namespace in context.snapshots.no_thaw_in:
            return
        try:
            if reason := next(_reasons_to_wait(guest, freeze, context), ""):
                context.log.debug("guest %s is left to the post hook: %s", name, reason)
                continue
            _thaw(guest, context)
            context.log.info("guest %s thawed: the storage has all its disks", name)
        except Forbidden as error:
            context.snapshots.no_thaw_in.add(namespace)
            context.log.info("guests of %s are left to the post hook: %s", namespace, error)
        except StillpointError as error:
            context.log.info("guest %s is left to the post hook: %s", name, error)


def _thaw(guest: Item, context: BackupContext) -> None:
    """Thaws a guest; evidence knows of it even if the response is lost."""
    subresources, sent = virtual_machine_instance.SUBRESOURCES, context.clock.now()
    answered = None
    try:
        context.writer.put(subresources, *it.identify(guest), "unfreeze")
        answered = context.clock.now()
        context.snapshots.thawed.add(it.uid(guest))
    finally:
        guests.note_thaw(guest, Thaw(sent, answered), context)


def _reasons_to_wait(guest: Item, freeze: Freeze, context: BackupContext) -> Iterator[str]:
    """Reasons not to thaw a guest now; those that cost a request come last."""
    launcher = surroundings.launcher_pod(context.cluster, guest)
    if launcher is None or not pod_hooks.is_thawed_by_velero(launcher):
        yield "no hook of Velero has frozen it"
    elif reason := policies.filters(context).bars(pod.RESOURCE, launcher):
        yield f"no hook of Velero has frozen it, its launcher pod is left out {reason}"
    for name in _left(freeze.guests, context):
        yield f"claim {name} is not taken yet, or not by this plugin"
    yield from others.backups(it.namespace(guest), context)
    yield from _at_work(guest, context)


def _left(guests: Iterable[Item], context: BackupContext) -> Iterator[str]:
    """Claims of guests that have yet to be taken."""
    fates = policies.fates(context)
    for guest in guests:
        for claim in disks.claims_of(guest, context):
            fate = fates.of(claim)
            is_taken = fate is Fate.OWN and context.snapshots.has_ended(it.uid(claim))
            if not is_taken and fate is not Fate.SKIP:
                yield it.name(claim)


def _at_work(guest: Item, context: BackupContext) -> Iterator[str]:
    """Reasons by which the guest's state of now forbids a thaw."""
    namespace, name = it.identify(guest)
    asked = context.clock.now()
    now = context.cluster.current(virtual_machine_instance.RESOURCE, namespace, name) or {}
    guests.note_look(guest, now, asked, context)
    if it.uid(now) != it.uid(guest):
        yield "it has ended"
        return
    for plugged in _left((now,), context):
        yield f"claim {plugged} has been plugged in meanwhile"
    if virtual_machine_instance.phase(now) != "Running":
        yield "it does not run"
    elif virtual_machine_instance.is_paused(now):
        yield "it is paused"
    elif virtual_machine_instance.is_migrating(now):
        yield "it is being migrated"
    yield from others.at_work(now, context)
