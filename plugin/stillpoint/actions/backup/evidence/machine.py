"""The evidence of a machine: begun when Velero backs it up, concluded when all of it is taken.

Velero asks for the conclusion in another process, and archives VolumeSnapshots and DataUploads
after it: with the evidence that is stored on them here. It first asks in the process of the backup
itself (runBackup in pkg/controller/backup_controller.go of Velero v1.18), whose lists are older
than what has been made since, and which has yet to store what it saw: that waits.

The operation names no object to be stored again: Velero names those itself, and a machine or a
claim of a later moment than its disks would be worth nothing (FinalizeBackup in
pkg/backup/backup.go).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from stillpoint.actions.backup.evidence import demand, facts, holders
from stillpoint.actions.backup.evidence.demand import Demand
from stillpoint.actions.backup.evidence.holders import Disk
from stillpoint.actions.backup.evidence.operation import Operation
from stillpoint.actions.watching import guests, state, stranded
from stillpoint.evidence import conclusion, document
from stillpoint.evidence.document import Evidence, Statement, Subject
from stillpoint.evidence.observations import Cut, Look, Observations, State
from stillpoint.evidence.sealed import Key
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.outcome import Progress
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero import own_objects
from stillpoint.velero.context import BackupContext

_SETTLED = timedelta(seconds=7)
"""After the last snapshot: then KubeVirt's status, up to six seconds late, says how it was."""

_PAUSED = "it is paused", "cannot thaw it", "its agent does not answer before it is resumed"

_MOST_LETTERS = 400  # of a description


def begin(item: Item, instance: Item | None, context: BackupContext) -> str:
    """Begins the evidence of a machine, or of an instance; waits for nothing.

    Args:
        item: as Velero listed it, before it took anything.
        instance: of the machine; None if there is none.

    Returns:
        The id of the operation that concludes it; empty if there is none.
    """
    if not context.is_observed or context.backup.is_finalizing:
        return ""
    if instance:
        guests.begin_late(instance, context)
    kind = it.text(item, "kind")
    if kind != virtual_machine.RESOURCE.kind and it.owner(item, virtual_machine.RESOURCE.kind):
        return ""
    is_off = kind == virtual_machine.RESOURCE.kind and not virtual_machine.has_instance(item)
    version = it.text(item, "metadata", "resourceVersion") if is_off else ""
    machine = Subject(kind, it.name(item), it.uid(item))
    wanted = demand.of_machine(item, context)
    return Operation(it.namespace(item), machine, version, wanted).id


def conclude(operation: str, context: BackupContext) -> Progress:
    """Concludes the evidence of a machine, and stores it on what holds the bytes of its disks.

    An error is a level that was demanded and not reached, and a guest that stands still yet: what
    fails in here is unknown.

    Raises:
        MalformedRequest: the id is of no such operation.
    """
    asked = Operation.parse(operation)
    found = _conclude_or_say_why_not(asked, context)
    if not found.completed:
        return found
    error, said = _thaw_if_stranded(asked, context)
    return replace(
        found,
        error="; ".join(filter(None, (error, found.error))),
        description="; ".join(filter(None, (found.description, said))),
    )


def _conclude_or_say_why_not(asked: Operation, context: BackupContext) -> Progress:
    try:
        return _progress(asked, context)
    except StillpointError as error:
        return _unknown(asked, str(error), context)
    except Exception as error:  # evidence fails no backup
        context.log.warning("evidence of it is not concluded: %s", error, exc_info=True)
        return _unknown(asked, f"{type(error).__name__}: {error}", context)


def _thaw_if_stranded(asked: Operation, context: BackupContext) -> tuple[str, str]:
    """Thaws a guest that was migrated or paused while it was frozen.

    The process that watched it may have ended before, and all hooks have been run by now.

    Returns:
        Why it stands still, if it does; and what is to be said of it, if it was thawed.
    """
    instance = asked.namespace, asked.machine.name
    try:
        seen = _observations(asked, context)
        found = context.cluster.get(virtual_machine_instance.RESOURCE, *instance)
        now = state.of(found)
        is_stranded, is_paused = stranded.is_stranded(seen, now), stranded.is_paused(seen, now)
    except Exception:  # noqa: BLE001 - the same has made the evidence unknown
        return "", ""
    if is_paused:
        return stranded.trouble(instance, Refusal(*_PAUSED)), ""
    try:
        if is_stranded and stranded.thaw(seen, instance, context):
            return "", "its guest was migrated or paused while frozen: thawed only now"
    except StillpointError as error:
        return stranded.trouble(instance, error), ""
    return "", ""


def _unknown(asked: Operation, because: str, context: BackupContext) -> Progress:
    now = context.clock.now()
    return Progress(
        context.backup.started or now,
        now,
        completed=True,
        error=_shortfall(asked.demand, Level.UNKNOWN, because),
        description=_described(asked, f"{Level.UNKNOWN}: {because}"),
    )


def _progress(asked: Operation, context: BackupContext) -> Progress:
    now = context.clock.now()
    started = context.backup.started or now
    name = f"{asked.namespace}/{asked.machine.name}"
    if own_objects.may_hold_guests(context.backup.asked):
        return Progress(started, now, description=f"{name}: waits until all is taken")
    looked = facts.looked(context)
    disks = holders.of_machine(asked.namespace, asked.machine, context)
    last_cut = max((disk.cut.not_after for disk in disks if disk.cut.not_after), default=None)
    if last_cut and looked - last_cut < _SETTLED:
        waiting = f"{name}: waits until KubeVirt's status of the guest has settled"
        return Progress(started, now, description=waiting)
    if not disks:
        _check_there(asked, context)
    found = _conclude(asked, disks, last_cut or now, context)
    level = found[0].machine_level if found else Level.NONE
    because = _because(found)
    return Progress(
        started,
        context.clock.now(),
        completed=True,
        error=_shortfall(asked.demand, level, because),
        done=len(found),
        total=len(found),
        units="Disks",
        description=_described(asked, _summary(found, level, because)),
    )


def _check_there(asked: Operation, context: BackupContext) -> None:
    """Without its description of now, nobody knows which disks a machine that did not run had.

    Raises:
        Refusal: the machine is gone.
        ReadFailed: the read failed.
    """
    namespace, machine = asked.namespace, asked.machine
    is_machine = machine.kind == virtual_machine.RESOURCE.kind
    resource = virtual_machine.RESOURCE if is_machine else virtual_machine_instance.RESOURCE
    found = context.cluster.get(resource, namespace, machine.name)
    if it.uid(found or {}) != machine.uid:
        whose = f"{machine.kind} {namespace}/{machine.name}"
        raise Refusal(whose, "cannot tell its disks", "it was deleted during the backup")


def _conclude(
    asked: Operation, disks: Sequence[Disk], last_cut: datetime, context: BackupContext
) -> Sequence[Evidence]:
    if not disks:
        return ()
    names = {name for disk in disks for name in disk.cut.machines} - {asked.machine.name}
    observed = {
        name: facts.look_up(seen, last_cut, context)
        for name in names
        if (seen := holders.observed(asked.namespace, name, context))
    }
    seen = facts.look_up(_observations(asked, context), last_cut, context)
    cuts = [_with_sharers(disk.cut, asked, context) for disk in disks]
    found = conclusion.conclude(seen, cuts, asked.demand.level, observed)
    for disk, evidence in zip(disks, found, strict=True):
        _store(disk, evidence, context)
    return found


def _with_sharers(cut: Cut, asked: Operation, context: BackupContext) -> Cut:
    """The cut with who else writes to the disk."""
    own, machines = asked.machine.name, {asked.machine.name, *cut.machines}
    return replace(
        cut,
        shared_with=tuple(one for one in cut.machines if one != own),
        pods=holders.writing_pods(asked.namespace, cut, machines, context),
    )


def _observations(asked: Operation, context: BackupContext) -> Observations:
    """The observations by the plugin's process of the main phase, if it came to store them.

    Velero lists all objects before it takes the first, so what it listed is of the beginning.
    """
    found = holders.observed(asked.namespace, asked.machine.name, context)
    if found and found.machine == asked.machine:
        return found
    started = context.backup.started or context.clock.now()
    if asked.version:
        look = Look(started, State(machine_version=asked.version), started)
        return Observations(asked.namespace, asked.machine, started, started, looks=(look,))
    lost = Statement("not-observed", "what the plugin saw of the guest in the backup is not there")
    return Observations(asked.namespace, asked.machine, started, started, lacks=(lost,))


def _store(disk: Disk, evidence: Evidence, context: BackupContext) -> None:
    if disk.holder is None:
        return
    value = document.to_annotation(evidence, Key.of_backup(context.backup.asked))
    change = {"metadata": {"annotations": {document.ANNOTATION: value}}}
    try:
        context.writer.patch(*disk.holder, change)
    except StillpointError as error:
        context.log.warning(
            "the evidence of %s is not in the backup: %s", disk.cut.claim.name, error
        )


def _described(asked: Operation, result: str) -> str:
    """The result of a machine, then why more may have been demanded of it."""
    lack = f"; {asked.demand.lack}" if asked.demand.lack else ""
    room = _MOST_LETTERS - len(lack)
    return f"{asked.namespace}/{asked.machine.name}: {result}"[:room] + lack


def _summary(found: Sequence[Evidence], level: Level, because: str) -> str:
    """Example: `application (3 disks, stood still 0.41 s)`."""
    if not found:
        return "no disk is taken"
    words = [f"{len(found)} disk{'s' if len(found) > 1 else ''}"]
    seconds = found[0].frozen.seconds if found[0].frozen else None
    if seconds is not None:
        words.append(f"stood still {seconds:.2f} s")
    why = f": {because}" if because and level in (Level.UNKNOWN, Level.MIXED) else ""
    return f"{level} ({', '.join(words)}){why}"


def _because(found: Sequence[Evidence]) -> str:
    """The reason why the disks reached no more: what is missing, or else how they are known."""
    said = [each.says for one in found for each in (one.missing or one.proofs)]
    return "; ".join(dict.fromkeys(said))


def _shortfall(wanted: Demand, got: Level, because: str) -> str:
    if wanted.fault:
        return wanted.fault
    has_nothing = got is Level.NONE  # as a machine whose disks are all in container images
    if wanted.level is None or has_nothing or demand.is_met(wanted.level, got):
        return ""
    return f"wanted {wanted.level}, got {got}, because {because or 'nothing more is known'}"
