"""Machines of a pool, and the pool that takes them back.

A restored pool at work would make machines in the place of its restored machines, on their disks.
So the pool is created paused, with a mark of its machines; each of them is created with the pool
for its owner; and when the restore has created all of them the pool goes to work.

A pool that would make a machine on a restored disk, or delete a machine, stays paused, with a mark.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from stillpoint.actions.restore.changes import ownership
from stillpoint.actions.restore.selection.plan import Plan
from stillpoint.actions.restore.waiting.operation import Arrival
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import counted, listing
from stillpoint.model.outcome import Progress
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources.machines import pending_start, virtual_machine, virtual_machine_pool
from stillpoint.velero import warning
from stillpoint.velero.context import RestoreContext

_HINT = "HINT: put that right, then take spec.paused off the pool"


def begin(item: Item, made: Plan, context: RestoreContext) -> tuple[Item, str, str]:
    """The pool ready for creation, the operation that resumes it, and why that is impossible.

    Raises:
        ArchiveUnreadable: the machines that the pool takes back are unknown.
    """
    stored = it.identify(context.stored)
    found = members(context)
    if not found:
        return item, "", ""
    lost = [name for name in found if _goes_elsewhere(stored[0], name, made)]
    kept = [name for name in found if name not in lost]
    if lost:
        item = it.with_value(item, True, "spec", "paused")
    item = virtual_machine_pool.as_pending(item, kept)
    target = (context.restore.namespace(stored[0]), it.name(item))
    version = virtual_machine_pool.resource_of(context.stored).version
    operation = Arrival(f"pool_{version}", stored, target, context.clock.now())
    return item, str(operation), _why_paused(it.name(item), lost) if lost else ""


def members(context: RestoreContext) -> Sequence[str]:
    """Names of the pool's machines in the backup, in their order."""
    namespace, name = it.identify(context.stored)
    return sorted(
        it.name(machine)
        for machine in context.archive.list(virtual_machine.RESOURCE, namespace)
        if name in virtual_machine_pool.of_machine(machine)
    )


def revisions(context: RestoreContext) -> Iterator[Reference]:
    """The pool's revisions by which its machines in the backup were made."""
    namespace, name = it.identify(context.stored)
    for machine in context.archive.list(virtual_machine.RESOURCE, namespace):
        revision = virtual_machine_pool.revision(machine)
        if revision and name in virtual_machine_pool.of_machine(machine):
            yield kinds.CONTROLLER_REVISION.named(namespace, revision)


def join(item: Item, made: Plan, context: RestoreContext) -> tuple[Item, tuple[Reference, ...]]:
    """A machine as a member of the pool that takes it back, and a warning if none does.

    Without a pool nobody would take the pool's finalizer off, and the machine would never go away.
    """
    alone = it.without_finalizers(item, (virtual_machine_pool.FINALIZER,))
    for name in virtual_machine_pool.of_machine(context.stored):
        pool = _pool(name, context)
        is_meant = not _goes_elsewhere(*it.identify(context.stored), made)
        if pool and is_meant and it.name(item) in virtual_machine_pool.takes_back(pool):
            item = virtual_machine_pool.with_restored_revision(item, name)
            return it.with_value(item, [it.reference_to(pool)], "metadata", "ownerReferences"), ()
        return alone, tuple(_alone(name, pool, made, context))
    return alone, tuple(_of_another(context))


def _pool(name: str, context: RestoreContext) -> Item | None:
    """The pool of a machine on the cluster, as of now.

    A machine whose owner is gone is deleted, with its disks: so a cached response will not do.
    """
    namespace = context.restore.namespace(it.namespace(context.stored))
    return context.cluster.current(
        virtual_machine_pool.resource_of(context.stored), namespace, name
    )


def _alone(
    name: str, pool: Item | None, made: Plan, context: RestoreContext
) -> Iterator[Reference]:
    namespace, machine = it.identify(context.stored)
    target = context.restore.namespace(namespace)
    if pool is None or _goes_elsewhere(namespace, machine, made):
        context.log.info("comes back without its pool %s, as a machine of its own", name)
        return
    if context.cluster.get_listed(virtual_machine.RESOURCE, target, machine):
        return  # Velero leaves it as it is
    text = f"{machine} comes back outside of its pool {name}, which is at work here"
    context.log.warning(text)
    yield warning.of(namespace, text)


def _of_another(context: RestoreContext) -> Iterator[Reference]:
    """A warning of another controller of the machine, which may make another in its place."""
    namespace, machine = it.identify(context.stored)
    if maker := it.controller(context.stored):
        text = f"{machine} was made by {maker}, which no longer owns it and may make another"
        context.log.warning(text)
        yield warning.of(namespace, text)


def progress(operation: str, context: RestoreContext) -> Progress:
    """Resumes the pool when all machines that it takes back are there; gives the progress.

    Raises:
        MalformedRequest: the operation is not ours.
    """
    arrival = Arrival.parse(operation)
    try:
        stage = _stage(arrival, context)
    except StillpointError as error:
        stage = _PoolStage(f"cannot tell yet: {error}", is_over=False)
    failure = stage.failure
    now = context.clock.now()
    if not stage.is_over and now >= arrival.started + _longest(context):
        stage, failure = _PoolStage(stage.text), f"{stage.text}; gave up, it stays paused"
    name = "/".join(arrival.target)
    return Progress(
        started=arrival.started,
        updated=now,
        completed=stage.is_over or bool(failure),
        error=f"{name}: {failure}" if failure else "",
        description=f"{name}: {stage.text}",
    )


def cancel(operation: str, context: RestoreContext) -> None:
    """Leaves the pool paused."""
    arrival = Arrival.parse(operation)
    context.log.warning("pool %s stays paused: cancelled", "/".join(arrival.target))


@dataclass(frozen=True, slots=True)
class _PoolStage:
    text: str
    is_over: bool = True
    failure: str = ""


def _longest(context: RestoreContext) -> timedelta:
    """The time to wait, shorter than Velero's own time-out, which gives no reason."""
    return context.restore.operation_timeout - timedelta(seconds=30)


def _stage(arrival: Arrival, context: RestoreContext) -> _PoolStage:
    resource = virtual_machine_pool.RESOURCE._replace(version=arrival.wait.partition("_")[2])
    pool = context.cluster.current(resource, *arrival.target)
    if pool is None:
        return _failure("not there: it could not be created, or was deleted since")
    if not virtual_machine_pool.is_pending(pool):
        return _PoolStage("at work")
    found = list(_machines(pool, context))
    if why := _obstacle(pool, found):
        return _failure(f"stays paused: {why}; {_HINT}")
    if waiting := [it.name(machine) for machine in found if pending_start.is_waiting(machine)]:
        those = counted(len(waiting), "machine")
        return _PoolStage(f"waits for {those} to be started", is_over=False)
    return _let_go(resource, pool, found, context)


def _machines(pool: Item, context: RestoreContext) -> Iterable[Item]:
    by_owner = context.cluster.list_grouped(
        virtual_machine.RESOURCE, it.namespace(pool), _uids_of_owners
    )
    return by_owner.get(it.uid(pool), ())


def _uids_of_owners(item: Item) -> Sequence[str]:
    return [it.text(owner, "uid") for owner in it.owners(item)]


def _obstacle(pool: Item, found: Sequence[Item]) -> str:
    """The harm that the pool would do to restored machines if resumed now, if any."""
    there = {it.name(machine) for machine in found}
    lacking = [name for name in virtual_machine_pool.takes_back(pool) if name not in there]
    if lacking:
        return f"{listing(lacking)} did not come back, and it would make others on their disks"
    surplus = len(found) - virtual_machine_pool.replicas(pool)
    too_many = counted(surplus, "machine")
    return f"it has {too_many} too many, and would delete as many" if surplus > 0 else ""


def _let_go(
    resource: Resource, pool: Item, found: Sequence[Item], context: RestoreContext
) -> _PoolStage:
    for name in dict.fromkeys(filter(None, map(virtual_machine_pool.revision, found))):
        revision = context.cluster.single(kinds.CONTROLLER_REVISION, it.namespace(pool), name)
        if revision and ownership.is_ownerless(revision, context):
            ownership.give(kinds.CONTROLLER_REVISION, revision, pool, context)
    context.log.info("goes to work: its %d machines are back", len(found))
    context.writer.patch(resource, *it.identify(pool), virtual_machine_pool.release(pool))
    return _PoolStage(f"has its {len(found)} machines back")


def _failure(text: str) -> _PoolStage:
    return _PoolStage(text, failure=text)


def _goes_elsewhere(namespace: str, machine: str, made: Plan) -> bool:
    reference = virtual_machine.RESOURCE.named(namespace, machine)
    return machine in made.refused or reference in made.names


def _why_paused(pool: str, lost: Sequence[str]) -> str:
    names = listing(lost)
    return f"{pool} stays paused, as it would make others in the place of {names}"
