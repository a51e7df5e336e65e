"""Thaws a guest as soon as the storage has the last of its disks, if the account may.

Velero's post hook thaws after the whole item block: its volumes, contents and the machine's own
objects are 0.1 s per disk in which the guest need not stand still. KubeVirt's subresource
`unfreeze` thaws the same guest, and the post hook, which then finds the guest thawed, succeeds all
the same (pkg/virt-launcher/virtwrap/storage/fsfreeze.go of KubeVirt v1.9).

All who freeze a guest share one freeze, and one thaw ends it for all of them. So in doubt the guest
is left to the post hook.

A storage that does not answer keeps no guest frozen: after a while it is thawed all the same, and
what comes later is of a later moment, as the evidence says.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from stillpoint.actions import policies, surroundings
from stillpoint.actions.backup.snapshots import disks
from stillpoint.actions.backup.snapshots.disks import Freeze
from stillpoint.actions.watching import guests, others
from stillpoint.evidence.observations import Thaw
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.resources.machines import kubevirt, pod, virtual_machine_instance
from stillpoint.velero import pod_hooks
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import snapshotter
from stillpoint.velero.volumes.policy import Fate

_AGAIN_S = 10.0
"""After an attempt that failed: what lets a storage hang, an API server away for a moment, does not
last as long as KubeVirt's own timer."""

_HINT = f"if it needs longer, set {snapshotter.FROZEN_TIMEOUT} of the Backup to more, below 300s"


def when_taken(freeze: Freeze, context: BackupContext) -> None:
    """Thaws the guests of a freeze, unless something needs it still.

    A thaw that fails is no error: the post hook follows.
    """
    for guest in freeze.guests:
        namespace, name = it.identify(guest)
        if namespace in context.snapshots.no_thaw_in:
            return
        if it.uid(guest) in context.snapshots.thawed:
            continue
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


@contextmanager
def in_time(
    freeze: Freeze, left: Callable[[], Sequence[str]], context: BackupContext
) -> Iterator[None]:
    """Thaws the guests of a freeze if what is done meanwhile takes too long.

    Disks that are still to be taken keep none from it, for nobody knows how many there will be that
    the storage does not take. One that cannot be thawed is tried again, until KubeVirt thaws it.

    Args:
        left: gives the names of the claims that the storage has not taken.
    """
    limit_s = snapshotter.frozen_timeout(context.backup.asked).total_seconds()
    has_ended, warned = threading.Event(), set[str]()

    def watch() -> None:
        waited_s, pause_s = 0.0, min(limit_s, threading.TIMEOUT_MAX)
        while not has_ended.wait(pause_s):
            waited_s += pause_s
            for guest in freeze.guests:
                _thaw_late(guest, waited_s, left, warned, context)
            if waited_s >= kubevirt.SAFETY_THAW_S:
                return
            pause_s = _AGAIN_S

    watching = threading.Thread(target=watch, daemon=True, name="thaw in time")
    watching.start()
    try:
        yield
    finally:
        has_ended.set()
        watching.join()


def _thaw_late(
    guest: Item,
    after_s: float,
    left: Callable[[], Sequence[str]],
    warned: set[str],
    context: BackupContext,
) -> None:
    """Thaws a guest that stands still for too long; the edge of a thread.

    Args:
        warned: uids of guests of which a warning says why they are not thawed.
    """
    name, why, reason = it.name(guest), f"it has stood still for {after_s:g} s", ""
    try:
        lacking = [] if it.uid(guest) in context.snapshots.thawed else left()
        if not lacking or next(_reasons_of_hook(guest, context), ""):
            return  # nobody waits, or nobody has frozen it for this backup
        why = f"after {after_s:g} s the storage has not taken {listing(lacking)}"
        reason = next(_reasons_of_others(guest, context), "")
        if not reason and left():  # else it has them since, and more may be left to others
            _thaw(guest, context)
            text = "guest %s thawed: %s, which may be of a later moment than other disks; HINT: %s"
            context.log.warning(text, name, why, _HINT)
    except StillpointError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - the guest stands still all the same
        reason = f"a fault of the plugin: {type(error).__name__}: {error}"
    if reason and it.uid(guest) not in warned:
        warned.add(it.uid(guest))
        context.log.warning("guest %s is not thawed, although %s: %s", name, why, reason)


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
    yield from _reasons_of_hook(guest, context)
    yield from _left(freeze.guests, context)
    yield from others.backups(it.namespace(guest), context)
    now = _look(guest, context)
    yield from _left((now,), context)
    yield from _reasons_of_state(guest, now, context)


def _reasons_of_others(guest: Item, context: BackupContext) -> Iterator[str]:
    """Reasons not to thaw a guest by which the freeze is not this backup's alone, or over."""
    yield from others.backups(it.namespace(guest), context)
    yield from _reasons_of_state(guest, _look(guest, context), context)


def _reasons_of_hook(guest: Item, context: BackupContext) -> Iterator[str]:
    launcher = surroundings.launcher_pod(context.cluster, guest)
    if launcher is None or not pod_hooks.is_thawed_by_velero(launcher):
        yield "no hook of Velero has frozen it"
    elif reason := policies.filters(context).bars(pod.RESOURCE, launcher):
        yield f"no hook of Velero has frozen it, its launcher pod is left out {reason}"


def _left(guests: Iterable[Item], context: BackupContext) -> Iterator[str]:
    """Claims of guests that have yet to be taken."""
    fates = policies.fates(context)
    for guest in guests:
        for claim in disks.claims_of(guest, context):
            fate = fates.of(claim)
            is_taken = fate is Fate.OWN and context.snapshots.has_ended(it.uid(claim))
            if not is_taken and fate is not Fate.SKIP:
                yield f"claim {it.name(claim)} is not taken yet, or not by this plugin"


def _look(guest: Item, context: BackupContext) -> Item:
    """The instance as it is now; empty if there is none any more."""
    asked = context.clock.now()
    where = (virtual_machine_instance.RESOURCE, *it.identify(guest))
    now = context.cluster.current(*where) or {}
    guests.note_look(guest, now, asked, context)
    return now


def _reasons_of_state(guest: Item, now: Item, context: BackupContext) -> Iterator[str]:
    """Reasons by which the guest's state of now forbids a thaw."""
    if it.uid(now) != it.uid(guest):
        yield "it has ended"
        return
    if virtual_machine_instance.phase(now) != "Running":
        yield "it does not run"
    elif virtual_machine_instance.is_paused(now):
        yield "it is paused"
    elif virtual_machine_instance.is_migrating(now):
        yield "it is being migrated"
    yield from others.at_work(now, context)
