"""The source from which a restored claim gets its bytes.

Velero's own action has seen the claim before ours, under its old name, and has set a source, unless
a claim of that name exists: then the original machine's, beside which a renamed machine comes back.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources.disks import persistent_volume_claim, volume_snapshot
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import claim_data

_CDI = "cdi.kubevirt.io"
_SOURCES = (
    persistent_volume_claim.RESOURCE,
    volume_snapshot.RESOURCE,
    Resource(_CDI, "v1beta1", "volumeimportsources", "VolumeImportSource"),
    Resource(_CDI, "v1beta1", "volumeuploadsources", "VolumeUploadSource"),
    Resource(_CDI, "v1beta1", "volumeclonesources", "VolumeCloneSource"),
)


def repair(claim: Item, context: RestoreContext) -> Item:
    """The claim without a source that would spoil the restored bytes, or is not there."""
    group, kind, namespace, name = claim_data.source(claim)
    if not name or name == claim_data.restored_snapshot(context.restore.uid, context.stored):
        return claim
    if claim_data.is_there(context.stored) and context.restore.has_volumes:
        return claim_data.without_source(claim)
    known = [one for one in _SOURCES if (one.group, one.kind) == (group, kind)]
    is_bound = persistent_volume_claim.is_bound(context.stored)
    if not known or not is_bound or _exists(known[0], namespace, name, context):
        return claim
    context.log.info("comes back empty: %s %s, which it was made from, does not exist", kind, name)
    return claim_data.without_source(claim)


def of_renamed(claim: Item, context: RestoreContext) -> tuple[Item, tuple[Reference, ...]]:
    """The claim with the bytes of the stored claim, and objects that Velero restores for that."""
    claim = it.without(claim, "spec", "volumeName")
    if not context.restore.has_volumes:
        return claim_data.without_source(claim), ()
    if snapshot := claim_data.snapshot(context.stored):
        name = claim_data.restored_snapshot(context.restore.uid, context.stored)
        needed = volume_snapshot.RESOURCE.named(it.namespace(context.stored), snapshot)
        return claim_data.from_snapshot(claim, name), (needed,)
    return repair(claim, context), ()


def _exists(resource: Resource, namespace: str, name: str, context: RestoreContext) -> bool:
    target = context.restore.namespace(namespace)
    return context.cluster.get_listed(resource, target, name) is not None
