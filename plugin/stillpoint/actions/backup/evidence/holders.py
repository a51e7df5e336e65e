"""The disks of a machine in one backup, and the objects that hold their bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stillpoint.actions import policies, surroundings
from stillpoint.actions.watching.guest import Holder
from stillpoint.evidence import observations
from stillpoint.evidence.document import Subject
from stillpoint.evidence.observations import Cut, Method, Observations
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume_claim, volume, volume_snapshot
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero import marks
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import data_upload
from stillpoint.velero.volumes.policy import Fate

_METHODS = {
    Fate.SNAPSHOT: Method.SNAPSHOT,
    Fate.OWN: Method.SNAPSHOT,
    Fate.FILE_SYSTEM: Method.FILES,
    Fate.CUSTOM: Method.NATIVE,
}
"""Of a disk whose bytes no VolumeSnapshot and no DataUpload holds."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk in the backup.

    Attributes:
        holder: None if its bytes are elsewhere, as of a copy of files.
    """

    cut: Cut
    holder: Holder | None = None


def of_machine(namespace: str, machine: Subject, context: BackupContext) -> Sequence[Disk]:
    """The disks of a machine that the backup has taken, or was to take, by name.

    Raises:
        ReadFailed: a read failed.
    """
    wanted = set(_claims(namespace, machine, context))
    found = {}
    for item, claim, method in _holders(namespace, context):
        cut = _cut(item, claim, method, context)
        if claim in wanted or machine.name in cut.machines:
            found[claim] = Disk(cut, _holder(item, method))
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
    for item, _claim, _method in _holders(namespace, context):
        try:
            found = observations.observed(item, context.backup.uid)
        except MalformedItem as error:
            context.log.info("%s", error)
            continue
        if found and found.namespace == namespace and found.machine.name == machine:
            return found
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


def _cut(item: Item, claim: str, method: Method, context: BackupContext) -> Cut:
    """The cut that is noted on an object; without bounds if none bears the seal of this backup."""
    try:
        noted = observations.cut(item, context.backup.uid)
    except MalformedItem as error:
        context.log.info("%s", error)
        noted = None
    if noted and noted.claim.name == claim and noted.method is method:
        return noted
    return Cut(Subject(persistent_volume_claim.RESOURCE.kind, claim, ""), None, None, method)


def _elsewhere(claim: Item, context: BackupContext) -> Cut | None:
    """A disk that the backup has otherwise, or was to have; None for one that it leaves out."""
    if policies.filters(context).bars(persistent_volume_claim.RESOURCE, claim):
        return None
    method = _METHODS.get(policies.fates(context).of(claim))
    if method is None:
        return None
    subject = Subject(persistent_volume_claim.RESOURCE.kind, it.name(claim), it.uid(claim))
    return Cut(subject, None, None, method)
