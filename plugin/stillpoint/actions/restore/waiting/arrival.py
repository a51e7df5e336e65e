"""From a machine's creation to the restore's final state: disks, running, agent.

A machine with a wait is created halted, with its run strategy in a mark, and started when its disks
are there. Velero polls every ten seconds, each time in a new process, and takes an error for the
end of the operation: so a temporary error is reported as progress.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stillpoint.actions.restore.changes import ownership
from stillpoint.actions.restore.waiting import disks, files, waves
from stillpoint.actions.restore.waiting.disks import DiskState
from stillpoint.actions.restore.waiting.operation import FILES, OWNERS, Arrival
from stillpoint.model import conditions as words
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.outcome import Progress
from stillpoint.resources.machines import pending_start, virtual_machine, virtual_machine_instance
from stillpoint.velero.context import RestoreContext


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage of a machine on its way.

    Attributes:
        text: for people, after the machine's name.
        done, total: disks that are there, and all disks.
        is_over: the wait has ended; `failure` says why it timed out or failed, if so.
    """

    text: str
    done: int = 0
    total: int = 0
    is_over: bool = False
    failure: str = ""


_Look = Callable[[Arrival, RestoreContext], Stage]
_FOR_DISKS = (words.WAIT_DISKS, FILES)
"""Waits that end when the disks are there, and do not look at the guest."""


def begin(
    item: Item, context: RestoreContext, through: tuple[tuple[str, str], ...] = ()
) -> tuple[Item, str]:
    """The machine ready for creation, and the operation that waits for it, or an empty text.

    Args:
        through: claims whose files come back through a pod, each with the name of that.
    """
    stored = it.identify(context.stored)
    wait = context.restore.conditions.wait_for(*stored)
    target = (context.restore.namespace(stored[0]), it.name(item))
    if wait == words.NO_WAIT:
        if not through or not virtual_machine.starts_by_itself(item):
            return item, owners(item, context)
        wait = FILES
        names = ", ".join(f"{claim} (pod {pod})" for claim, pod in through)
        context.log.info("started when Velero has put back the files of %s", names)
    existing = context.cluster.get_listed(virtual_machine.RESOURCE, *target)
    if existing and pending_start.is_pending(existing):
        _adopt(existing, context)
    arrival = Arrival(wait, stored, target, context.clock.now(), waves.secret(context), through)
    if virtual_machine.starts_by_itself(item):
        item = pending_start.as_pending(item, context.restore.uid)
        if note := _sealed_mark(pending_start.WAITS, arrival, context):
            item = it.with_annotation(item, pending_start.SEALED, note)
    return item, str(arrival)


def owners(item: Item, context: RestoreContext) -> str:
    """The operation that only gives a machine its objects back; empty without such objects."""
    if not ownership.is_lost(item, context):
        return ""
    stored = it.identify(context.stored)
    target = (context.restore.namespace(stored[0]), it.name(item))
    return str(Arrival(OWNERS, stored, target, context.clock.now()))


def progress(operation: str, context: RestoreContext) -> Progress:
    """Starts a machine when its time has come; gives its progress.

    Raises:
        MalformedRequest: the operation is none of ours.
    """
    return _progress(operation, context, _advance_in_time)


def progress_of_instance(operation: str, context: RestoreContext) -> Progress:
    """Gives a lone instance its state back; gives the progress. Errors as of `progress`."""
    return _progress(operation, context, _stage_of_instance)


def _progress(operation: str, context: RestoreContext, look: _Look) -> Progress:
    arrival = Arrival.parse(operation)
    now = context.clock.now()
    try:
        stage = look(arrival, context)
    except StillpointError as error:
        stage = Stage(f"cannot tell yet: {error}")
        if now >= _expiry(arrival, context):
            stage = replace(stage, is_over=True, failure=str(error))
    name = "/".join(arrival.target)
    return Progress(
        started=arrival.started,
        updated=now,
        completed=stage.is_over,
        error=f"{name}: {stage.failure}" if stage.failure else "",
        done=stage.done,
        total=stage.total,
        units="disks",
        description=f"{name}: {stage.text}",
    )


def cancel(operation: str, context: RestoreContext) -> None:
    """Stops waiting: a machine that was not started stays so, with a mark."""
    arrival = Arrival.parse(operation)
    context.log.info("no longer waited for: cancelled")
    if machine := context.cluster.get(virtual_machine.RESOURCE, *arrival.target):
        _mark_not_started(machine, "the restore's waiting was cancelled", context)


def _stage_of_instance(arrival: Arrival, context: RestoreContext) -> Stage:
    resource = virtual_machine_instance.RESOURCE
    instance = context.cluster.get(resource, *arrival.target)
    if instance is None or not ownership.is_ownerless(instance, context):
        return Stage("no instance of this restore is there", is_over=True)
    return _ownership_stage(ownership.give_back(instance, context, resource))


def _advance(arrival: Arrival, context: RestoreContext) -> Stage:
    machine = context.cluster.get(virtual_machine.RESOURCE, *arrival.target)
    if machine is None:
        cause = "not there: it could not be created, or was deleted since; HINT: see the errors "
        failure = "" if arrival.wait == OWNERS else f"{cause}of the restore"
        return Stage("not there", is_over=True, failure=failure)
    troubles = ownership.give_back(machine, context)
    if arrival.wait == OWNERS:
        return _ownership_stage(troubles)
    found = files.states(machine, arrival, context)
    stage = _of_disks(found)
    if _is_called_off(arrival, context):
        cause = f"{stage.text}; the waiting was cancelled by {words.WAIT}: {words.NO_WAIT}"
        return replace(stage, is_over=True, failure=_abandon(machine, cause, context))
    if lost := [disk for disk in found if disk.is_lost]:
        cause = "; ".join(f"{disk.claim} {disk.lacks}" for disk in lost)
        return replace(stage, is_over=True, failure=_abandon(machine, cause, context))
    if pending_start.is_pending(machine):
        return _start_in_turn(machine, found, stage, arrival, context)
    is_lacking = any(disk.lacks and not disk.is_for_first_use for disk in found)
    return stage if is_lacking else _stage_of_started(machine, stage, arrival, context)


def _is_called_off(arrival: Arrival, context: RestoreContext) -> bool:
    """True if a person has ended the wait that the restore asked for."""
    if arrival.wait == FILES:
        return False
    return context.restore.conditions.wait_for(*arrival.stored) == words.NO_WAIT


def _ownership_stage(troubles: Sequence[StillpointError]) -> Stage:
    """The stage of giving back; a missing right ends the stage, for the machine is well."""
    if not troubles:
        return Stage("owns its state and its revisions", is_over=True)
    is_over = all(isinstance(trouble, Forbidden) for trouble in troubles)
    return Stage(f"does not own all of its state and revisions: {troubles[0]}", is_over=is_over)


def _of_disks(found: Sequence[DiskState]) -> Stage:
    lacking = [disk for disk in found if disk.lacks]
    done = len(found) - len(lacking)
    text = f"{done} of {len(found)} disks bound"
    if lacking:
        text += f"; {lacking[0].claim} {lacking[0].lacks}"
    return Stage(text, done, len(found))


def _start_in_turn(
    machine: Item,
    found: Sequence[DiskState],
    stage: Stage,
    arrival: Arrival,
    context: RestoreContext,
) -> Stage:
    if not pending_start.is_waiting(machine):
        return replace(stage, is_over=True, failure=_abandon(machine, stage.text, context))
    if not disks.may_start(found):
        return stage
    if not waves.is_next(machine, context, waves.of(arrival.secret, context)):
        size = context.restore.conditions.start_wave_size
        return replace(stage, text=f"{stage.text}; waits for its turn, {size} start at a time")
    strategy = pending_start.start_as(machine)
    context.log.info("starts it, run strategy %s: %s", strategy, stage.text)
    note = _sealed_mark(pending_start.STARTS, arrival, context)
    change = pending_start.start(machine, context.clock.now(), note)
    context.writer.patch(virtual_machine.RESOURCE, *arrival.target, change)
    context.started.add(arrival.target)
    is_over = arrival.wait in _FOR_DISKS and stage.done == stage.total
    return replace(stage, text=f"{stage.text}; started as {strategy}", is_over=is_over)


def _sealed_mark(state: str, arrival: Arrival, context: RestoreContext) -> str | None:
    """The sealed mark by which others of the wave wait; None without waves."""
    if not arrival.secret:
        return None
    wave = waves.of(arrival.secret, context)
    return wave.mark(state, arrival.target, context.clock.now())


def _stage_of_started(
    machine: Item, stage: Stage, arrival: Arrival, context: RestoreContext
) -> Stage:
    """The stage of a machine that is not pending: started, or not to be started at all."""
    if not virtual_machine.starts_by_itself(machine):
        strategy = virtual_machine.run_strategy(machine)
        text = f"{stage.text}; not to be started, its run strategy is {strategy}"
        return replace(stage, text=text, is_over=True)
    if stage.done < stage.total:
        return stage
    if arrival.wait in _FOR_DISKS:
        return replace(stage, is_over=True)
    instance = context.cluster.get_listed(virtual_machine_instance.RESOURCE, *arrival.target)
    phase = virtual_machine_instance.phase(instance or {})
    if virtual_machine.is_through(machine, phase):
        return _stage_of_ended(stage, phase, arrival)
    if phase != "Running":
        trouble = virtual_machine.trouble(machine) or "not looked at by KubeVirt yet"
        return replace(stage, text=f"{stage.text}; started, does not run yet: {trouble}")
    return _running(instance or {}, stage, arrival)


def _running(instance: Item, stage: Stage, arrival: Arrival) -> Stage:
    if arrival.wait == words.WAIT_RUNNING:
        return replace(stage, text=f"{stage.text}; runs", is_over=True)
    is_connected = virtual_machine_instance.is_agent_connected(instance)
    agent = "its guest agent is connected" if is_connected else "waits for its guest agent"
    return replace(stage, text=f"{stage.text}; runs, {agent}", is_over=is_connected)


def _stage_of_ended(stage: Stage, phase: str, arrival: Arrival) -> Stage:
    text = f"{stage.text}; its guest has ended: {phase}"
    is_good = phase == "Succeeded" and arrival.wait == words.WAIT_RUNNING
    return replace(stage, text=text, is_over=True, failure="" if is_good else text)


def _advance_in_time(arrival: Arrival, context: RestoreContext) -> Stage:
    """The stage, ended if timed out."""
    stage = _advance(arrival, context)
    if stage.is_over or context.clock.now() < _expiry(arrival, context):
        return stage
    lasted_s = (context.clock.now() - arrival.started).total_seconds()
    cause = f"{stage.text}; gave up after {lasted_s:.0f} s"
    machine = context.cluster.get(virtual_machine.RESOURCE, *arrival.target)
    failure = _abandon(machine, cause, context) if machine else cause
    return replace(stage, is_over=True, failure=failure)


def _expiry(arrival: Arrival, context: RestoreContext) -> datetime:
    """The end of an arrival's time, not after Velero's own time-out, which gives no reason."""
    longest_s = context.restore.operation_timeout.total_seconds()
    with suppress(StillpointError):  # conditions were edited meanwhile, and wrongly
        longest_s = min(longest_s, context.restore.conditions.wait_timeout_s)
    return arrival.started + timedelta(seconds=longest_s)


def _abandon(machine: Item, cause: str, context: RestoreContext) -> str:
    """Marks a machine that is not started as abandoned; gives the cause and the consequence."""
    if not pending_start.is_pending(machine):
        return cause
    cause += (
        f"; it stays halted, {pending_start.start_as(machine)} is noted in its annotation "
        f"{pending_start.START_AS}; HINT: put right what it lacks, "
        "then start it or restore it again"
    )
    try:
        _mark_not_started(machine, cause, context)
    except StillpointError as error:  # the cause matters more than what became of the mark
        cause += f" (not noted on the machine: {error})"
    return cause


def _mark_not_started(machine: Item, cause: str, context: RestoreContext) -> None:
    if pending_start.is_waiting(machine):
        context.log.warning("does not start it: %s", cause)
        change = pending_start.abandon(machine, cause)
        context.writer.patch(virtual_machine.RESOURCE, *it.identify(machine), change)


def _adopt(machine: Item, context: RestoreContext) -> None:
    """Takes over a pending machine that a former restore created and ended before its start."""
    context.log.info("exists, not started by a former restore: started by this one")
    change = pending_start.adopt(machine, context.restore.uid)
    context.writer.patch(virtual_machine.RESOURCE, *it.identify(machine), change)
