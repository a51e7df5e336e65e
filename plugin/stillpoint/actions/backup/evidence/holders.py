"""The disks of a machine in one backup, and the objects that hold their bytes.

What is noted on those is read once for all machines of a namespace. Nothing of it counts that is
sealed with the uid of the Backup where Velero's own group snapshots show that.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakKeyDictionary

from stillpoint.actions import policies, surroundings
from stillpoint.actions.watching.guest import Holder
from stillpoint.evidence import observations
from stillpoint.evidence.document import Statement, Subject
from stillpoint.evidence.observations import Cut, Method, Observations
from stillpoint.evidence.sealed import Key
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.resources.disks import persistent_volume_claim, volume, volume_snapshot
from stillpoint.resources.machines import pod, virtual_machine, virtual_machine_instance
from stillpoint.velero import marks
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import data_upload, fates
from stillpoint.velero.volumes.policy import Fate

_METHODS = {
    Fate.SNAPSHOT: Method.SNAPSHOT,
    Fate.OWN: Method.SNAPSHOT,
    Fate.FILE_SYSTEM: Method.FILES,
    Fate.CUSTOM: Method.NATIVE,
}
"""Of a disk whose bytes no VolumeSnapshot and no DataUpload holds."""


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk in the backup.

    Attributes:
        holder: None if its bytes are elsewhere, as of a copy of files.
        dated: when the API server made that, by its own clock.
    """

    cut: Cut
    holder: Holder | None = None
    dated: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Noted:
    """The notes of a namespace.

    Attributes:
        is_sealed: false if the seal on it proves nothing, so that nothing is read.
        disks: by the names of their claims.
        of_machines: those of each machine by its cuts, by the names of their claims.
        observed: by the name of the machine.
    """

    is_sealed: bool
    disks: dict[str, Disk] = field(default_factory=dict)
    of_machines: dict[str, dict[str, Disk]] = field(default_factory=dict)
    observed: dict[str, Observations] = field(default_factory=dict)


MARGIN = timedelta(minutes=1)
"""For clocks that differ."""

_SECOND = timedelta(seconds=1)
"""The API server leaves out parts of a second."""

_UID_SHOWN = Statement(
    "uid-shown",
    "Velero's own group snapshots show the backup's uid in this namespace: whoever reads it could "
    "have written what the plugin noted",
)

_noted: WeakKeyDictionary[Index, dict[str, _Noted]] = WeakKeyDictionary()


def of_machine(namespace: str, machine: Subject, context: BackupContext) -> Sequence[Disk]:
    """The disks of a machine that the backup has taken, or was to take, by name.

    Raises:
        ReadFailed: a read failed.
    """
    wanted, noted = set(_claims(namespace, machine, context)), _of(namespace, context)
    found = dict(noted.of_machines.get(machine.name, {}))
    found |= {name: noted.disks[name] for name in wanted & set(noted.disks)}
    for name in wanted - set(found):
        there = context.cluster.get(persistent_volume_claim.RESOURCE, namespace, name)
        if there and (elsewhere := _elsewhere(there, context)):
            found[name] = Disk(elsewhere)
    return [found[name] for name in sorted(found)]


def observed(namespace: str, machine: str, context: BackupContext) -> Observations | None:
    """The observations of a machine that are stored with one of its disks.

    Raises:
        ReadFailed: a read failed.
    """
    return _of(namespace, context).observed.get(machine)


def server_ahead(namespace: str, context: BackupContext) -> tuple[timedelta, timedelta]:
    """The time by which the API server's clock is ahead of the plugin's: no less, and no more.

    Both are known of what holds a disk: it was made between the bounds of the disk's cut, or right
    after this plugin asked for it. They are zero where no disk has both.

    Raises:
        ReadFailed: a read failed.
    """
    disks = _of(namespace, context).disks.values()
    known = [
        (disk.dated - not_after, disk.dated + _SECOND - not_before)
        for disk in disks
        if disk.dated
        and (not_before := disk.cut.uploaded or disk.cut.not_before)
        and (not_after := disk.cut.uploaded or disk.cut.not_after)
    ]
    least = max((one for one, _most in known), default=timedelta())
    most = min((one for _least, one in known), default=timedelta())
    return least, most


def writing_pods(
    namespace: str, cut: Cut, machines: Collection[str], context: BackupContext
) -> tuple[str, ...]:
    """Names of pods that may have written to a disk before its cut, but of `machines`.

    They mend a disk, or fill it, or run a guest that the backup leaves out. Of one that has ended
    the node's clock says when.

    Args:
        machines: those whose guests the backup has seen.

    Raises:
        ReadFailed: a read failed.
    """
    pods = context.cluster.list_grouped(pod.RESOURCE, namespace, pod.written_claims)
    _least, ahead = server_ahead(namespace, context)
    mounting = [one for one in pods.get(cut.claim.name, ()) if not _is_later(one, cut, ahead)]
    known = {uid for name in machines if mounting for uid in _own(name, mounting, cut, context)}
    found = (one for one in mounting if it.uid(one) not in known)
    return tuple(it.name(one) for one in found if _is_of_backup(one, context))


def _own(
    machine: str, mounting: Sequence[Item], cut: Cut, context: BackupContext
) -> Collection[str]:
    """The uids of a guest's own pods, by the status of its instance.

    Whoever makes a pod gives it labels and owners as he likes, and KubeVirt counts a pod that names
    the instance as its controller among the active ones (setActivePods in
    pkg/virt-controller/watch/vmi/lifecycle.go of v1.9). So of those that may have run at the cut
    none is known to be the launcher if there are several. In a migration there are two; but then
    the guest was not in one run, which all rules ask for that take it for frozen.

    Args:
        mounting: the pods with the disk that are not younger than the cut.
    """
    namespace = it.namespace(mounting[0])
    found = context.cluster.get(virtual_machine_instance.RESOURCE, namespace, machine) or {}
    seen = observed(namespace, machine, context)
    looks = seen.looks if seen else ()
    launchers = {uid for look in looks for uid in look.state.launchers}
    launchers |= set(virtual_machine_instance.active_pods(found))
    ran = [one for one in mounting if it.uid(one) in launchers and _may_have_run(one, cut)]
    early = (one for one in looks if cut.not_after and one.received <= cut.not_after)
    if len(ran) > 1 and not any(look.state.is_migrating for look in early):
        launchers -= set(map(it.uid, ran))
    attaching = {uid for look in looks for uid in look.state.attachments}
    return launchers.union(attaching, virtual_machine_instance.attachment_pod_uids(found))


def _is_later(one: Item, cut: Cut, ahead: timedelta) -> bool:
    """True if a pod was surely made after a cut.

    Args:
        ahead: the most by which the API server's clock, which dates the pod, is ahead.
    """
    created = it.creation_time(one)
    return bool(created and cut.not_after and created - ahead > cut.not_after)


def _may_have_run(launcher: Item, cut: Cut) -> bool:
    """True unless a guest had left a pod before a cut, by the node's clock, or it has no node."""
    is_over = pod.is_over(launcher)
    ended = pod.ended(launcher) if is_over else pod.released(launcher, cut.claim.name)
    if ended and cut.not_before and ended < cut.not_before - MARGIN:
        return False
    return pod.is_placed(launcher)


def _is_of_backup(other: Item, context: BackupContext) -> bool:
    ended, started = pod.ended(other), context.backup.started
    return not pod.is_over(other) or bool(ended and started and ended >= started - MARGIN)


def lacks(namespace: str, context: BackupContext) -> tuple[Statement, ...]:
    """Why nothing counts that is noted in a namespace; empty if it does.

    Raises:
        ReadFailed: a read failed.
    """
    return () if _of(namespace, context).is_sealed else (_UID_SHOWN,)


def _of(namespace: str, context: BackupContext) -> _Noted:
    known = _noted.setdefault(context.cluster, {})
    if namespace not in known:
        known[namespace] = _read(namespace, context)
    return known[namespace]


def _read(namespace: str, context: BackupContext) -> _Noted:
    key = Key.of_backup(context.backup.asked)
    noted = _Noted(is_sealed=not (key.is_uid and _is_uid_shown(namespace, context)))
    if not noted.is_sealed:
        key = Key("", is_uid=True)  # nothing bears the seal of none
    for item, claim, method in _holders(namespace, context):
        cut = _believed(observations.cut, item, key, context)
        disk = Disk(_cut(cut, claim, method, item), _holder(item, method), it.creation_time(item))
        noted.disks[claim] = disk
        for machine in disk.cut.machines:
            noted.of_machines.setdefault(machine, {})[claim] = disk
        seen = _believed(observations.observed, item, key, context)
        if seen and seen.namespace == namespace:
            noted.observed.setdefault(seen.machine.name, seen)
    return noted


def _is_uid_shown(namespace: str, context: BackupContext) -> bool:
    found = context.cluster.list_grouped(persistent_volume_claim.RESOURCE, namespace, it.names)
    claims = (claim for each in found.values() for claim in each)
    grouped = (claim for claim in claims if fates.shows_uid(context.backup.asked, claim))
    return any(policies.fates(context).of(claim) is Fate.SNAPSHOT for claim in grouped)


def _believed(
    read: Callable[[Item, Key], Found | None], item: Item, key: Key, context: BackupContext
) -> Found | None:
    """The note on an object; None if it does not bear the seal of this backup."""
    try:
        return read(item, key)
    except MalformedItem as error:
        context.log.info("%s", error)
        return None


def _claims(namespace: str, machine: Subject, context: BackupContext) -> Iterator[str]:
    """Names of the claims that the guest of a machine writes to, by its description of now."""
    instance = context.cluster.get(virtual_machine_instance.RESOURCE, namespace, machine.name)
    if instance:
        yield from virtual_machine_instance.disk_claims(instance)
    if machine.kind != virtual_machine.RESOURCE.kind:
        return
    found = context.cluster.get(virtual_machine.RESOURCE, namespace, machine.name)
    if found:
        yield from filter(None, map(volume.disk_claim, virtual_machine.volumes(found)))
        state = surroundings.state_claims(context.cluster, found, instance)
        yield from map(it.name, state)


def _holders(namespace: str, context: BackupContext) -> Iterator[tuple[Item, str, Method]]:
    """VolumeSnapshots and DataUploads of the backup, each with the name of its claim."""
    name = marks.label_value(context.backup.name)
    snapshots = context.cluster.list_grouped(
        volume_snapshot.RESOURCE, namespace, it.names, f"{marks.OF_BACKUP}={name}"
    )
    for found in snapshots.values():
        for item in found:
            yield item, volume_snapshot.claim(item), Method.SNAPSHOT
    uploads = context.cluster.list_grouped(
        data_upload.RESOURCE,
        context.backup.namespace,
        data_upload.source_namespaces,
        data_upload.selector(context.backup.asked),
    )
    for item in uploads.get(namespace, ()):
        yield item, data_upload.claim(item).name, Method.MOVED


def _holder(item: Item, method: Method) -> Holder:
    resource = volume_snapshot.RESOURCE if method is Method.SNAPSHOT else data_upload.RESOURCE
    return Holder(resource, *it.identify(item))


def _cut(noted: Cut | None, claim: str, method: Method, item: Item) -> Cut:
    """The cut that is noted on the holder of a claim; without bounds if it is none of that.

    Who deletes a snapshot can make another one of its name, with the same annotations.
    """
    snapshot = it.uid(item) if method is Method.SNAPSHOT else ""
    if noted and (noted.claim.name, noted.method, noted.snapshot) == (claim, method, snapshot):
        return noted
    subject = Subject(persistent_volume_claim.RESOURCE.kind, claim, "")
    return Cut(subject, None, None, method, snapshot=snapshot)


def _elsewhere(claim: Item, context: BackupContext) -> Cut | None:
    """A disk that the backup has otherwise, or was to have; None for one that it leaves out."""
    if policies.filters(context).bars(persistent_volume_claim.RESOURCE, claim):
        return None
    method = _METHODS.get(policies.fates(context).of(claim))
    if method is None:
        return None
    subject = Subject(persistent_volume_claim.RESOURCE.kind, it.name(claim), it.uid(claim))
    return Cut(subject, None, None, method)
