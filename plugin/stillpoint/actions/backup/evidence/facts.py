"""Facts about a guest that are looked up when Velero has taken all of a backup.

A read that fails, for lack of a right for instance, is a fact that is missing, under its name.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from stillpoint.actions.backup.evidence import holders
from stillpoint.actions.backup.evidence.holders import MARGIN
from stillpoint.actions.watching import others, state
from stillpoint.evidence import hold as holds
from stillpoint.evidence.case import SETTLED
from stillpoint.evidence.document import Span, Statement
from stillpoint.evidence.observations import Look, Observations
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.model.reference import Resource
from stillpoint.resources.machines import (
    kubevirt,
    pod,
    virtual_machine,
    virtual_machine_backup,
    virtual_machine_instance,
)
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from stillpoint.velero import own_objects
from stillpoint.velero.context import BackupContext
from stillpoint.velero.selection.filters import Filters

_SAFETY_THAW = b"initiating unfreeze"
"""In virt-launcher's warning of its own thaw (v1.5 to v1.9, pkg/virt-launcher/virtwrap)."""

_SURELY_NO_SAFETY_THAW = timedelta(seconds=kubevirt.SAFETY_THAW_S - 10)
_SECOND = timedelta(seconds=1)

_LONGEST_WORK = timedelta(minutes=30)
"""Of a VirtualMachineBackup, whose end is not looked at."""

Found = TypeVar("Found")


_looked: WeakKeyDictionary[Index, datetime] = WeakKeyDictionary()


def looked(context: BackupContext) -> datetime:
    """When this process first looked: lists that it has cached are not older."""
    return _looked.setdefault(context.cluster, context.clock.now())


def look_up(seen: Observations, last_cut: datetime, context: BackupContext) -> Observations:
    """The observations, with what can be known after the main phase.

    Args:
        last_cut: not before the last snapshot of the guest's disks.
    """
    reads = _Reads(context)
    seen = _with_look(seen, reads)
    found = reads.unless_failed("others-unread", lambda: _others(seen, last_cut, context))
    return replace(
        seen,
        is_hook_failed=_is_hook_failed(seen, context.backup.asked),
        others=None if found is None else found.at_work,
        later=None if found is None else found.later,
        safety_thaws=_safety_thaws(seen, last_cut, reads),
        lacks=(*seen.lacks, *reads.lacks, *holders.lacks(seen.namespace, context)),
    )


class _Reads:
    """Reads, of which each may fail.

    Attributes:
        lacks: those that failed.
    """

    def __init__(self, context: BackupContext) -> None:
        self.context = context
        self.lacks: list[Statement] = []

    def unless_failed(self, code: str, read: Callable[[], Found]) -> Found | None:
        """The result of a read; None if it failed, which is a statement of this code."""
        try:
            return read()
        except StillpointError as error:
            self.lacks.append(Statement(code, str(error)))
            return None


def _with_look(seen: Observations, reads: _Reads) -> Observations:
    """The observations with the state of now.

    A watch that has seen this very version of the instance last has missed nothing up to now.
    """
    context = reads.context
    asked = looked(context)

    def read() -> tuple[Item | None, Item | None]:
        where, name = seen.namespace, seen.machine.name
        machine = None
        if seen.machine.kind == virtual_machine.RESOURCE.kind:
            machine = context.cluster.get(virtual_machine.RESOURCE, where, name)
        return context.cluster.get(virtual_machine_instance.RESOURCE, where, name), machine

    found = reads.unless_failed("instance-unread", read)
    if found is None:
        return seen
    instance, machine = found
    look = Look(context.clock.now(), state.of(instance, machine), asked)
    watches = seen.watches
    version = it.text(instance or {}, "metadata", "resourceVersion")
    if watches and version and version == seen.version:
        watches = (*watches[:-1], Span(watches[-1].start, asked))
    return replace(seen, looks=(*seen.looks, look), watches=watches)


def _is_hook_failed(seen: Observations, backup: Item) -> bool | None:
    """Of this guest: known if all hooks of the backup went one way, or are this guest's.

    A guest has two, to freeze and to thaw. Velero counts those of the whole backup, and leaves out
    a count of none.
    """
    counted = it.mapping(backup, "status").get("hookStatus")
    if not isinstance(counted, dict) or not seen.has_hook:
        return None
    attempted, failed = (counted.get(key, 0) for key in ("hooksAttempted", "hooksFailed"))
    if not isinstance(attempted, int) or not isinstance(failed, int) or not attempted:
        return None
    if not failed:
        return False
    return True if attempted <= 2 or failed == attempted else None


class _Others(NamedTuple):
    """Others who may have frozen the guest; see `Observations`."""

    at_work: tuple[str, ...]
    later: tuple[datetime, ...]


def _others(seen: Observations, last_cut: datetime, context: BackupContext) -> _Others:
    at_work, later = list(_at_work(seen, last_cut, context)), []
    for title, began_after in _other_backups(seen, last_cut, context):
        if began_after:
            later.append(began_after)
        else:
            at_work.append(f"Backup {title}")
    return _Others(tuple(at_work), tuple(later))


def _at_work(seen: Observations, last_cut: datetime, context: BackupContext) -> Iterator[str]:
    """Other programs that freeze and thaw guests, in the window of this backup.

    The API server's clock dates them.
    """
    least, most = holders.server_ahead(seen.namespace, context)
    start, end = seen.started - MARGIN + least, last_cut + MARGIN + most
    for found in _of_machine(seen, virtual_machine_snapshot.RESOURCE, context):
        taken = virtual_machine_snapshot.taken_at(found)
        is_before = taken is not None and taken < start and virtual_machine_snapshot.is_ready(found)
        if _began_before(found, end) and not is_before:
            yield f"VirtualMachineSnapshot {it.name(found)}"
    for found in _of_machine(seen, virtual_machine_backup.RESOURCE, context):
        began = it.creation_time(found)
        if _began_before(found, end) and not (began and began < start - _LONGEST_WORK):
            yield f"VirtualMachineBackup {it.name(found)}"


def _other_backups(
    seen: Observations, last_cut: datetime, context: BackupContext
) -> Iterator[tuple[str, datetime | None]]:
    """Other backups that may have frozen or thawed the guest before its status had settled.

    Returns:
        The title of each, and when it began, where that was surely after the last snapshot.
    """
    for velero, backups in others.of_each_velero(context).items():
        is_own = velero == context.backup.namespace
        for backup in backups:
            began = it.time(backup, "status", "startTimestamp")
            if others.is_this(backup, context) or (began and began > last_cut + SETTLED):
                continue
            is_beside = _is_later(backup, seen) if is_own else _is_not_before(backup, seen)
            if is_beside and Filters.parse(backup).selects_namespace(seen.namespace):
                is_after = is_own and began is not None and began + _SECOND > last_cut
                yield others.title(backup, context), began if is_after else None


def _is_later(backup: Item, seen: Observations) -> bool:
    """True if a backup of the same Velero was not through with the guest before.

    Velero takes backups of one namespace one after the other (v1.18:
    pkg/controller/backup_queue_controller.go; before, all backups): one that began earlier, and
    holds no guests now, had thawed them; one that began later found all disks taken. Velero notes
    whole seconds, so one may seem to have begun in the second before the last snapshot.
    """
    began = it.time(backup, "status", "startTimestamp")
    return own_objects.may_hold_guests(backup) or (began is not None and began >= seen.started)


def _is_not_before(backup: Item, seen: Observations) -> bool:
    """True if a backup of another Velero, which waits for none of this one, went on then."""
    if it.time(backup, "status", "startTimestamp") is None:
        return own_objects.may_hold_guests(backup)
    ended = it.time(backup, "status", "completionTimestamp")
    return not own_objects.has_ended(backup) or ended is None or ended >= seen.started - MARGIN


def _began_before(found: Item, end: datetime) -> bool:
    began = it.creation_time(found)
    return began is None or began <= end


def _of_machine(seen: Observations, resource: Resource, context: BackupContext) -> Sequence[Item]:
    found = context.cluster.list_grouped(resource, seen.namespace, _sources)
    return found.get(seen.machine.name, ())


def _sources(found: Item) -> tuple[str]:
    """Name of the machine that a VirtualMachineSnapshot or VirtualMachineBackup is of."""
    return (it.text(found, "spec", "source", "name"),)


def _safety_thaws(
    seen: Observations, last_cut: datetime, reads: _Reads
) -> tuple[datetime, ...] | None:
    """KubeVirt's own thaws by the log of the launcher; not read where there can be none."""
    hold = holds.of(seen)
    begun = max(seen.began, hold.begun) if hold and hold.begun else seen.began
    if last_cut - begun < _SURELY_NO_SAFETY_THAW:
        return None
    launcher = reads.unless_failed("launcher-unread", lambda: _launcher(seen, reads.context))
    if launcher is None:
        return None
    age = reads.context.clock.now() - seen.started + MARGIN
    log = reads.context.cluster.log(
        pod.RESOURCE.named(*it.identify(launcher)), pod.COMPUTE, age.total_seconds()
    )
    return reads.unless_failed("launcher-log-unread", lambda: tuple(_times(log)))


def _times(lines: Iterable[bytes]) -> Iterator[datetime]:
    """Times of the safety thaws in a log.

    Raises:
        MalformedItem: one is of an unknown time.
    """
    for line in lines:
        stamp, _space, said = line.partition(b" ")
        if _SAFETY_THAW in said:
            yield _time(stamp)


def _time(stamp: bytes) -> datetime:
    try:
        moment = datetime.fromisoformat(stamp.decode())
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - no zone, as below
    if moment.tzinfo is None:
        whose, field = "log of the launcher", "the time of KubeVirt's own thaw"
        raise MalformedItem(whose, field, "a time as of RFC 3339", stamp)
    return moment


def _launcher(seen: Observations, context: BackupContext) -> Item | None:
    """The launcher pod that the guest had in the backup, if it is still there."""
    launchers = {uid for look in seen.looks for uid in look.state.launchers}
    pods = context.cluster.list_grouped(
        pod.RESOURCE, seen.namespace, pod.instances, pod.OF_MACHINES
    )
    found = [one for one in pods.get(seen.machine.name, ()) if it.uid(one) in launchers]
    return found[0] if len(found) == 1 == len(launchers) else None
