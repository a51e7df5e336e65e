"""Disks whose files Velero puts back through a pod, while it creates the machines that use them.

What was copied file by file through a pod (fs-backup) comes back through that pod: Velero creates
it before any machine, and has its node agent fill the mounted claims, for as long as that lasts.
Nothing keeps KubeVirt from starting a guest on such a claim meanwhile: it waits for DataVolumes
alone. So a machine that would start is created halted, with a mark, and an operation starts it.

Source: execute and restorePodVolumeBackups in pkg/restore/restore.go, RestorePodVolumes in
pkg/podvolume/restorer.go of Velero v1.15 to v1.18; sync in pkg/virt-controller/watch/vmi of
KubeVirt v1.9.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stillpoint.actions.restore.losses import lost_data
from stillpoint.model import item as it
from stillpoint.model.errors import ArchiveUnreadable, Forbidden, Refusal
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.resources.machines import pending_start, pod, virtual_machine
from stillpoint.velero import warning
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import pod_volume


@dataclass(frozen=True, slots=True)
class Coming:
    """The files that a restore puts back into the disks of a machine.

    Attributes:
        through: the pod through which the files of each claim come; the claim first.
        warnings: of what could not be looked at.
    """

    through: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Reference, ...] = ()


def coming(context: RestoreContext) -> Coming:
    """The files to come for the machine, or lone instance, that is being restored.

    Lists nothing where no pod of the backup, beside KubeVirt's, mounts a disk of it.

    Raises:
        ReadFailed: it is not known which files Velero has; but without the right it is as if none.
    """
    try:
        mounted = _mounted(context)
        return Coming(tuple(_coming(mounted, context))) if mounted else Coming()
    except ArchiveUnreadable as error:
        context.log.debug("not said whether files come back through pods: %s", error)
    except Forbidden as error:
        return Coming(warnings=tuple(_warn_once(error, context)))
    return Coming()


def refuse(found: Coming, context: RestoreContext) -> None:
    """Refuses a lone instance, which starts when created, if files are to come.

    Raises:
        Refusal: Velero fills a disk of it.
    """
    if found.through:
        names = [f"{claim} (pod {through})" for claim, through in found.through]
        cause = f"it would start while Velero puts back the files of its disks: {listing(names)}"
        hint = "create the instance by hand when their PodVolumeRestores are Completed"
        raise Refusal(it.describe(context.stored), "cannot be restored", cause, hint)


def _mounted(context: RestoreContext) -> Sequence[tuple[Reference, Sequence[Item]]]:
    claims = lost_data.disks(context.stored, context)
    with_pods = ((claim, lost_data.bringers(claim, context)) for claim in claims)
    return [one for one in with_pods if one[1]]


def _coming(
    mounted: Sequence[tuple[Reference, Sequence[Item]]], context: RestoreContext
) -> Iterator[tuple[str, str]]:
    by_claim = pod_volume.of_restored(context.cluster, context.restore.asked)
    for claim, pods in mounted:
        names = set(map(it.name, pods))
        copies = by_claim.get(f"{claim.namespace}/{claim.name}", ())
        for copy in sorted(copies, key=pod_volume.has_files, reverse=True):
            through = pod_volume.pod(copy)
            is_to_come = through in names and not pod_volume.is_of_empty_volume(copy)
            if is_to_come and not _stays_as_it_is(claim, copy, context):
                yield claim.name, through
                break


def _stays_as_it_is(claim: Reference, copy: Item, context: RestoreContext) -> bool:
    """True if the target has the claim already, and Velero puts nothing into it.

    But if a former restore left the machine halted, it is not known to have filled the claim.
    """
    if not lost_data.is_there_already(claim, context):
        return False
    namespace = context.restore.namespace(claim.namespace)
    machine = context.cluster.get_listed(
        virtual_machine.RESOURCE, namespace, it.name(context.stored)
    )
    if machine and pending_start.is_pending(machine):
        return False
    there = context.cluster.single(pod.RESOURCE, namespace, pod_volume.pod(copy))
    is_left = there is not None and lost_data.was_there_before(there, context)
    return is_left or not pod_volume.has_files(copy)


def _warn_once(error: Forbidden, context: RestoreContext) -> Iterator[Reference]:
    """A warning of the first machine of the restore alone."""
    context.log.info("%s", error)
    first = context.archive.once(("right to see files",), lambda: it.identify(context.stored))
    if first == it.identify(context.stored):
        text = (
            f"{first[1]} and others may start before Velero has put back the files of their "
            f"disks: no right to list {pod_volume.BACKUP} in {it.namespace(context.restore.asked)}"
        )
        context.log.warning(text)
        yield warning.of(first[0], text)
