"""Objects that a machine needs and neither the backup nor the target cluster has: warnings.

The machine comes back all the same. Where a right to read lacks, another warning says so; the right
for Secrets is optional (docs/install/rbac.yaml).
"""

from collections.abc import Collection, Iterable, Sequence

from stillpoint.actions.restore.changes import repair
from stillpoint.actions.restore.selection import machines, unselected
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.api_resources import KNOWN
from stillpoint.model.archive import Archive
from stillpoint.model.errors import ArchiveUnreadable, Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources import cluster_needs
from stillpoint.resources.disks import data_volume, persistent_volume_claim, storage_class
from stillpoint.velero import warning
from stillpoint.velero.context import RestoreContext

_MISSING = "is missing"
_UNSEEN = "could not be looked at"
_RESOURCES = {
    (one.group, one.plural): Resource(one.group, one.version, one.plural, one.kind) for one in KNOWN
}


def additional(
    stored: Item, context: RestoreContext, recreated: Collection[str] = ()
) -> tuple[Reference, ...]:
    """Needed objects that come only if an action names them, and warnings of missing objects.

    Args:
        recreated: names of the claims that CDI makes in place of the stored claims.
    """
    try:
        stored_needs, not_stored = needs(stored, context.archive, recreated)
    except ArchiveUnreadable as error:
        context.log.debug("not said what is missing: %s", error)
        return machines.own_needs(stored)
    named = unselected.of(stored_needs, context)
    found = [(state, one) for one in not_stored if (state := _state(one, context))]
    warnings = []
    for state in dict.fromkeys(state for state, _ in found):
        begin = f"{it.name(stored)} needs what {state} here: "
        names = [_describe(one, context) for kept, one in found if kept == state]
        context.log.warning("%s%s", begin, ", ".join(names))
        warnings.append(warning.listing(it.namespace(stored), begin, names))
    return (*named, *warnings)


def needs(
    stored: Item, archive: Archive, recreated: Collection[str] = ()
) -> tuple[Sequence[Reference], Sequence[Reference]]:
    """The needed objects that the backup has, and those that the target has to have.

    Raises:
        ArchiveUnreadable: the archive is unavailable or incomplete.
    """
    named = machines.needs(stored, archive)
    kept = [one for one in named if archive.holds(one)]
    lacking = [one for one in named if one not in kept and not _is_removed(one, kept)]
    lacking = [one for one in lacking if not (machines.is_data(one) and one.name in recreated)]
    lacking += [one for one in _of_cluster(stored, kept, archive) if not archive.holds(one)]
    return kept, lacking


def at_target(one: Reference, context: RestoreContext) -> Reference:
    """The needed object as the target would have it: in which namespace, by which name."""
    namespace = context.restore.namespace(one.namespace) if one.namespace else ""
    return one._replace(namespace=namespace, name=_name(one, context))


def _of_cluster(
    stored: Item, stored_needs: Iterable[Reference], archive: Archive
) -> Sequence[Reference]:
    """The needed objects of the cluster: as marked at backup, or as far as the backup tells."""
    if marked := tuple(cluster_needs.read(stored)):
        return marked
    claims = (
        archive.get(one) for one in stored_needs if one.is_of(persistent_volume_claim.RESOURCE)
    )
    return cluster_needs.of_machine(stored, filter(None, claims))


def _is_removed(one: Reference, stored_needs: Sequence[Reference]) -> bool:
    """True for a DataVolume that was garbage-collected after populating its claim."""
    claim = persistent_volume_claim.RESOURCE.named(one.namespace, one.name)
    return one.is_of(data_volume.RESOURCE) and claim in stored_needs


def _state(one: Reference, context: RestoreContext) -> str:
    """The state of a needed object that the backup lacks, if that is wrong; else empty."""
    resource = _RESOURCES.get((one.group, one.resource))
    if not resource:
        return ""
    try:
        return "" if _exists(resource, one, context) else _MISSING
    except Forbidden as error:
        context.log.info("%s", error)
        return _UNSEEN


def _describe(one: Reference, context: RestoreContext) -> str:
    namespace = context.restore.namespace(one.namespace) if one.namespace else ""
    home = context.restore.namespace(it.namespace(context.stored))
    where = f" in {namespace}" if namespace and namespace != home else ""
    return f"{_RESOURCES[one.group, one.resource].kind} {_name(one, context)}{where}"


def _name(one: Reference, context: RestoreContext) -> str:
    if one.is_of(storage_class.RESOURCE):
        return repair.storage_classes(context).get(one.name, one.name)
    return one.name


def _exists(resource: Resource, one: Reference, context: RestoreContext) -> bool:
    there = at_target(one, context)
    is_secret = resource == kinds.SECRET  # not to read all others for the sake of one name
    found = context.cluster.single if is_secret else context.cluster.get
    return found(resource, there.namespace, there.name) is not None
