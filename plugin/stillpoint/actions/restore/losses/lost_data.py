"""Disks whose bytes a restore does not bring back, and their fate.

Archive and Restore together decide where the bytes of a claim come from: a snapshot, a data mover,
the volume itself, or the pod through which its files were copied. Without any of these Velero makes
a new and empty volume. No such claim may have CDI's mark of a populated claim: CDI populates again
what it once populated, and a machine is not started on the rest.

A claim that the target has already keeps its own bytes, and is not reported.

Source: restoreItem in pkg/restore/restore.go and pkg/restore/actions/csi/pvc_action.go of Velero
v1.15 to v1.18; handlePvcCreation and validatePVC in pkg/controller/datavolume/controller-base.go of
CDI v1.66: a marked DataVolume is never filled, and an unmarked one does not take a claim that is
there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.actions.restore.selection import machines, plan
from stillpoint.model import item as it
from stillpoint.model.conditions import ONLY
from stillpoint.model.errors import ArchiveUnreadable, Forbidden
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import (
    data_volume,
    persistent_volume,
    persistent_volume_claim,
    volume,
)
from stillpoint.resources.machines import pod, virtual_machine
from stillpoint.velero import own_objects
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.request import Backup
from stillpoint.velero.volumes import claim_data, fates, pod_volume, snapshotter

NO_COPY = "the backup has no copy of its data"
"""The cause where no object of the backup has one: its books may know better."""

NOT_BROUGHT_BACK = "copied as files through pod {}, which the restore does not bring back"
_OF_KUBEVIRT = "copied as files through a pod of KubeVirt, which no restore brings back"
_NEVER_COPIED = "to be copied as files through pod {}, of which Velero has no PodVolumeBackup"

TO_BRING = pod.RESOURCE, persistent_volume.RESOURCE
"""Velero puts files back into claims only where the Restore takes both."""


class Remains(StrEnum):
    """The thing that a machine finds in place of a disk whose bytes do not come back."""

    IMPORTED_AGAIN = "CDI populates it again"
    """From the disk's first source; KubeVirt waits for that."""
    BLANK = "CDI recreates it, blank"
    EMPTY = "it comes back empty"
    ABSENT = "it does not come back"
    """KubeVirt waits for the claim."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A claim whose bytes do not come back.

    Attributes:
        claim: its name in the backup.
        cause: as in "the Restore brings no data of volumes (restorePVs: false)".
    """

    claim: str
    cause: str
    remains: Remains

    @property
    def is_made_by_cdi(self) -> bool:
        """True if CDI makes the claim, if nobody else has."""
        return self.remains in (Remains.IMPORTED_AGAIN, Remains.BLANK)

    @property
    def is_empty(self) -> bool:
        """True if a guest would start on an empty disk in place of its data."""
        return self.remains in (Remains.BLANK, Remains.EMPTY)

    def __str__(self) -> str:
        return f"{self.claim} ({self.cause}; {self.remains})"


def of(claim: Reference, context: RestoreContext) -> Loss | None:
    """The loss of a claim of the backup; None if its bytes come back, or if unknown."""
    try:
        cause = _cause(claim, context)
        if not cause or is_there_already(claim, context):
            return None
        return Loss(claim.name, cause, _remains(claim, context))
    except ArchiveUnreadable as error:
        context.log.debug("not said whether its data comes back: %s", error)
        return None


def of_machine(context: RestoreContext) -> Sequence[Loss]:
    """The losses of the machine, or lone instance, that is being restored."""
    try:
        claims = list(disks(context.stored, context))
    except ArchiveUnreadable as error:
        context.log.debug("not said whether its data comes back: %s", error)
        return ()
    return [loss for claim in claims if (loss := of(claim, context))]


def has_filler(claim: Reference, context: RestoreContext) -> bool:
    """True if a DataVolume of this name comes back."""
    try:
        return _filler(claim, context) is not None
    except ArchiveUnreadable:
        return False


def disks(stored: Item, context: RestoreContext) -> Iterator[Reference]:
    """The claims of a stored machine or instance, with the claims of its state."""
    namespace = it.namespace(stored)
    is_machine = stored.get("kind") == virtual_machine.RESOURCE.kind
    path = ("spec", "template", "spec", "volumes") if is_machine else ("spec", "volumes")
    names = [*filter(None, map(volume.needed_claim, it.sequence(stored, *path)))]
    names += [one.name for one in machines.state_claims(stored, context.archive)]
    for name in dict.fromkeys(names):
        yield persistent_volume_claim.RESOURCE.named(namespace, name)


def _cause(claim: Reference, context: RestoreContext) -> str:
    """The cause why a claim's bytes do not come with this restore; empty if there is none known."""
    stored = context.archive.get(claim)
    if stored is None:
        return _cause_without_claim(claim, context)
    is_bound = persistent_volume_claim.is_bound(stored)
    if not is_bound or persistent_volume_claim.is_in_progress(stored):
        return ""  # there were no bytes
    if context.restore.refuses(persistent_volume_claim.RESOURCE):
        return "the Restore leaves claims out"
    if not claim_data.is_there(stored):
        return _cause_without_snapshot(stored, context)
    return "" if context.restore.has_volumes else "restorePVs of the Restore is false"


def _cause_without_claim(claim: Reference, context: RestoreContext) -> str:
    """The cause for a claim that the backup lacks; empty if it was not populated."""
    filled = context.archive.get(data_volume.RESOURCE.named(claim.namespace, claim.name))
    if filled is not None and not data_volume.is_populated(filled):
        return ""
    return "the backup has no such claim" if _filler(claim, context) else ""


def _cause_without_snapshot(stored: Item, context: RestoreContext) -> str:
    backup = _backup(context)
    if fates.has_native_snapshots(backup):
        return ""  # no object says of which volumes
    namespace, name = it.identify(stored)
    claim = persistent_volume_claim.RESOURCE.named(namespace, name)
    name_of_volume = persistent_volume_claim.volume(stored)
    find = context.archive.get(persistent_volume.RESOURCE.named("", name_of_volume))
    mounting = _pods(namespace, context).get(name, ())
    copied = [one for one in mounting if fates.copies_volume(backup, one, name)]
    able = [one for one in bringers(claim, context) if _may_bring(one, name, backup)]
    is_kept = find is None or not persistent_volume.is_deleted_with_claim(find)
    is_asked = able or (find and is_kept and mounting)
    copies = _copies(claim, context) if is_asked else None
    with_bytes = [one for one in copies or () if not pod_volume.is_of_empty_volume(one)]
    is_copied = bool(copied if copies is None else with_bytes)
    if is_kept and not is_copied and (find or snapshotter.takes_snapshots(backup)):
        return ""  # Velero makes the claim on that volume
    if able:
        through = None if copies is None else frozenset(map(pod_volume.pod, copies))
        return _cause_with_bringers(able, copied, through)
    names = set(map(pod_volume.pod, with_bytes))
    if any(pod.is_of_machine(one) for one in mounting if one in copied or it.name(one) in names):
        return _OF_KUBEVIRT
    if any(fates.brings_back(backup, name, one, is_by_policy=False) for one in copied):
        return f"copied as files through a pod, {_why_no_bringer(context)}"
    return NO_COPY


def _cause_with_bringers(
    able: Sequence[Item], copied: Sequence[Item], through: frozenset[str] | None
) -> str:
    """The cause where files could come through pods; empty if they do, or if unknown.

    Args:
        able: the pods that could bring the files.
        copied: the pods that the Backup asks to copy the files through.
        through: those that Velero has copied through, or failed to; None if unknown.
    """
    if through is None or not through.isdisjoint(map(it.name, able)):
        return ""
    if not through:
        meant = next((it.name(one) for one in able if one in copied), "")
        return _NEVER_COPIED.format(meant) if meant else NO_COPY
    if any(pod.is_of_machine(one) for one in copied if it.name(one) in through):
        return _OF_KUBEVIRT
    return NOT_BROUGHT_BACK.format(listing(sorted(through)))


def _copies(claim: Reference, context: RestoreContext) -> Sequence[Item] | None:
    """The PodVolumeBackups of a claim, failed ones too; None if unknown.

    Velero makes no PodVolumeBackup of a block device, nor of a volume that no container mounts:
    BackupPodVolumes in pkg/podvolume/backupper.go of Velero v1.15 to v1.18. A pod with which that
    fails as a whole, as without a node agent on its node, is not in the backup.
    """
    try:
        by_claim = pod_volume.of_restored(context.cluster, context.restore.asked)
    except Forbidden as error:
        context.log.debug("not known which files Velero has copied: %s", error)
        return None
    return by_claim.get(f"{claim.namespace}/{claim.name}", ())


def bringers(claim: Reference, context: RestoreContext) -> Sequence[Item]:
    """The pods of the backup through which a restore may put back the files of a claim.

    Velero makes no PodVolumeRestore where the Restore leaves claims or volumes out.

    Raises:
        ArchiveUnreadable: the archive is unavailable or incomplete.
    """
    if any(map(context.restore.refuses, TO_BRING)):
        return ()
    made = plan.of(context, claim.namespace)
    return [
        one
        for one in _pods(claim.namespace, context).get(claim.name, ())
        if not pod.is_of_machine(one)
        and not made.why_left_out(pod.RESOURCE.named(*it.identify(one)))
    ]


def _why_no_bringer(context: RestoreContext) -> str:
    for resource in filter(context.restore.refuses, TO_BRING):
        return f"and the Restore leaves {resource} out"
    return f"which no machine of {ONLY} needs"


def _may_bring(one: Item, claim: str, backup: Item) -> bool:
    """True if Velero may have copied the files of a claim through this pod."""
    may_be_by_policy = not backup or bool(Backup.parse(backup).policies)
    return fates.brings_back(backup, claim, one, is_by_policy=may_be_by_policy)


def _remains(claim: Reference, context: RestoreContext) -> Remains:
    if filler := _filler(claim, context):
        return Remains.BLANK if data_volume.is_blank(filler) else Remains.IMPORTED_AGAIN
    is_refused = context.restore.refuses(persistent_volume_claim.RESOURCE)
    comes = context.archive.holds(claim) and not is_refused
    return Remains.EMPTY if comes else Remains.ABSENT


def _filler(claim: Reference, context: RestoreContext) -> Item | None:
    """The DataVolume that comes back for a claim, or that its machine's template makes."""
    reference = data_volume.RESOURCE.named(claim.namespace, claim.name)
    is_refused = context.restore.refuses(data_volume.RESOURCE)
    if not is_refused and (find := context.archive.get(reference)):
        return find
    return _templates(claim.namespace, context).get(claim.name)


def _templates(namespace: str, context: RestoreContext) -> Mapping[str, Item]:
    """The templates of DataVolumes that the machines of a namespace bring, by name."""
    if context.restore.refuses(virtual_machine.RESOURCE):
        return {}
    archive = context.archive

    def find() -> Mapping[str, Item]:
        stored = archive.list(virtual_machine.RESOURCE, namespace)
        return {
            it.name(template): template
            for machine in stored
            for template in it.sequence(machine, "spec", "dataVolumeTemplates")
        }

    return archive.once(("templates", namespace), find)


def _pods(namespace: str, context: RestoreContext) -> Mapping[str, Sequence[Item]]:
    """The pods of the backup by the claims that they mount."""
    archive = context.archive

    def find() -> Mapping[str, Sequence[Item]]:
        by_claim: dict[str, list[Item]] = {}
        for one in archive.list(pod.RESOURCE, namespace):
            for name in pod.claims(one):
                by_claim.setdefault(name, []).append(one)
        return by_claim

    return archive.once(("pods by claim", namespace), find)


def _backup(context: RestoreContext) -> Item:
    """The restored Backup; empty without the right to read it."""
    name = it.text(context.restore.asked, "spec", "backupName")
    namespace = it.namespace(context.restore.asked)
    if not name or not namespace:
        return {}
    try:
        return context.cluster.single(own_objects.BACKUP, namespace, name) or {}
    except Forbidden as error:
        context.log.debug("not known how the backup took the data of volumes: %s", error)
        return {}


def is_there_already(claim: Reference, context: RestoreContext) -> bool:
    """True if the target had a claim of that name before the restore."""
    return plan.of(context, claim.namespace).name(claim) in _before(claim.namespace, context)


def see_target(namespace: str, context: RestoreContext) -> None:
    """Reads the target's claims before the first claim of a namespace of the backup is created."""
    with suppress(ArchiveUnreadable):
        _before(namespace, context)


def _before(namespace: str, context: RestoreContext) -> frozenset[str]:
    target = context.restore.namespace(namespace)

    def find() -> frozenset[str]:
        named = context.cluster.list_grouped(persistent_volume_claim.RESOURCE, target, it.names)
        return frozenset(name for name in named if was_there_before(named[name][0], context))

    return context.archive.once(("claims of the target", target), find)


def was_there_before(item: Item, context: RestoreContext) -> bool:
    """True if a claim or pod was there before the restore, and is not being deleted.

    One younger than the restore is the restore's, though of a plugin process that died.
    """
    created, started = it.creation_time(item), context.restore.start_time
    is_of_now = created is not None and started is not None and created > started
    return not is_of_now and not it.is_being_deleted(item)
