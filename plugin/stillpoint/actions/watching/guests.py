"""The doors of watching, for actions: none of them fails, nor waits while a guest is frozen."""

import functools
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import datetime
from typing import ParamSpec
from weakref import WeakKeyDictionary

from stillpoint.actions import policies, surroundings
from stillpoint.actions.watching import observer, state
from stillpoint.actions.watching.guest import WatchedGuest
from stillpoint.evidence.case import SETTLED
from stillpoint.evidence.observations import Look, Observations, Thaw
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero import pod_hooks
from stillpoint.velero.context import BackupContext

Parameters = ParamSpec("Parameters")

_LONGEST_WAIT_S = SETTLED.total_seconds() + 1
_LONGEST_WAITS_S = 60.0
"""For all guests of a backup, of which one waits after the other: in a minute each has settled."""

_waited_s: WeakKeyDictionary[Index, float] = WeakKeyDictionary()
"""By the backup's view of the cluster."""


def harmless(note: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Makes of any failure to note something for evidence a line of the log: the backup goes on.

    What was not noted is missing in the evidence, and so never good. One argument is the context.
    """

    @functools.wraps(note)
    def guard(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            note(*args, **kwargs)
        except Exception as error:  # evidence fails no backup
            is_fault = not isinstance(error, StillpointError)
            for context in (one for one in args if isinstance(one, BackupContext)):
                context.log.info("evidence of it is incomplete: %s", error, exc_info=is_fault)

    return guard


@harmless
def begin(instance: Item, launcher: Item | None, context: BackupContext) -> None:
    """Begins to watch the guest of an instance, before Velero's hook freezes it."""
    if launcher and _is_new(instance, launcher, context):
        instance = _thawed(instance, launcher, context)
    _begin(instance, launcher, context, is_before_hook=True)
    if context.is_observed:
        # what it may demand is asked for when the guest stands still
        context.background(functools.partial(_read_namespace, it.namespace(instance), context))


def _thawed(instance: Item, launcher: Item, context: BackupContext) -> Item:
    """Waits until nobody else has the guest frozen, for some seconds: the instance as it is then.

    Whoever may patch an instance may write its status, too: a minute is all that guests can take.
    KubeVirt's status says so for up to six seconds after a backup that came right before this one.
    A freeze that goes on would be this backup's, too, and the thaw of its owner would end both.
    """
    waited_s, began = _waited_s.get(context.cluster, 0.0), context.clock.now()
    left_s = min(_LONGEST_WAIT_S, _LONGEST_WAITS_S - waited_s)
    is_frozen = left_s > 0 and virtual_machine_instance.is_frozen(instance)
    if not is_frozen or _has_hook(launcher, instance, context) is False:
        return instance
    resource, identity = virtual_machine_instance.RESOURCE, it.identify(instance)
    try:
        with closing(context.cluster.watch(resource, *identity, left_s)) as changes:
            for item, is_deleted in changes:
                is_of_guest = it.uid(item) == it.uid(instance) and not is_deleted
                if is_of_guest and not virtual_machine_instance.is_frozen(item):
                    return item
    except StillpointError as error:
        context.log.debug("%s", error)
    finally:
        _waited_s[context.cluster] = waited_s + (context.clock.now() - began).total_seconds()
    return instance


@harmless
def begin_late(instance: Item, context: BackupContext) -> None:
    """Begins to watch a guest that Velero may have frozen, unless that was begun before."""
    launcher = surroundings.launcher_pod(context.cluster, instance)
    _begin(instance, launcher, context, is_before_hook=False)


@harmless
def note_look(guest: Item, now: Item, asked: datetime, context: BackupContext) -> None:
    """Notes the state of a guest by a response.

    Args:
        guest: the instance as it was.
        now: the instance; empty if there is none any more.
        asked: before the request.
    """
    if watched := _watched(guest, context):
        watched.see(Look(context.clock.now(), state.of(now), asked))


@harmless
def note_thaw(guest: Item, thaw: Thaw, context: BackupContext) -> None:
    """Notes a thaw by this plugin."""
    if watched := _watched(guest, context):
        watched.thawed(thaw)


@harmless
def _read_namespace(name: str, context: BackupContext) -> None:
    surroundings.namespace(context.cluster, name)


def _watched(guest: Item, context: BackupContext) -> WatchedGuest | None:
    watching = observer.of(context)
    return watching.guest(it.uid(guest)) if watching else None


def _is_new(instance: Item, launcher: Item | None, context: BackupContext) -> bool:
    """True if a guest is to be watched, and is not yet; one without a disk never is."""
    is_meant = context.is_observed and bool(_claims(instance, launcher))
    return is_meant and not _watched(instance, context)


def _claims(instance: Item, launcher: Item | None) -> Collection[str]:
    return {*virtual_machine_instance.disk_claims(instance), *pod.claims(launcher or {})}


def _begin(
    instance: Item, launcher: Item | None, context: BackupContext, *, is_before_hook: bool
) -> None:
    watching = observer.of(context)
    if watching is None or not _is_new(instance, launcher, context):
        return
    claims, now = _claims(instance, launcher), context.clock.now()
    if _has_double(instance, launcher, context):
        launcher = None
    first = Observations(
        namespace=it.namespace(instance),
        machine=state.subject(instance),
        started=context.backup.started or now,
        began=now,
        is_before_hook=is_before_hook,
        has_hook=_has_hook(launcher, instance, context) if launcher else None,
        has_console=pod.has_console(launcher) if launcher else None,
        looks=(Look(now, state.of(instance)),),
    )
    named = pod.RESOURCE.named(*it.identify(launcher)) if launcher else None
    guest = WatchedGuest(first, it.identify(instance), named, claims)
    watching.watch(it.uid(instance), guest)


def _has_hook(launcher: Item, instance: Item, context: BackupContext) -> bool | None:
    """True if Velero freezes the guest in this pod.

    None if it may be another pod, or be left out, or if a command of somebody's own may freeze.
    """
    if pod.has_left(instance, launcher):
        return None
    filters = policies.filters(context)
    if filters.bars(pod.RESOURCE, launcher):
        return False
    if not pod_hooks.is_thawed_by_velero(launcher):
        return None if pod_hooks.freezes(launcher, context.backup.asked) else False
    return None if filters.has_names else True


def _has_double(instance: Item, launcher: Item | None, context: BackupContext) -> bool:
    """True if several pods pass for the launcher, and not because of a migration.

    Nobody knows then whose hook and whose console they are. In a migration none of them freezes,
    and after it the pod that the guest has left may run on for its other containers, as istio's.
    """
    if launcher is None or virtual_machine_instance.is_migrating(instance):
        return False
    pods = surroundings.launcher_pods(context.cluster, instance)
    running = pod.active_and_running(pods, instance)
    left = [one for one in running if it.uid(one) != it.uid(launcher) and pod.is_left(one)]
    return len(running) - len(left) > 1 or bool(left and pod.is_left(launcher))
