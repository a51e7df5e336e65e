"""What a machine needs and neither the backup nor the target cluster has: one warning for each."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from plugin.actions.restore import machines, repair, unselected, warning
from plugin.model import item as it
from plugin.model.api_resources import KNOWN
from plugin.model.archive import Archive
from plugin.model.context import RestoreContext
from plugin.model.errors import ArchiveUnreadable
from plugin.model.item import Item
from plugin.model.reference import Reference, Resource
from plugin.resources import (
    cluster_needs,
    core,
    data_volume,
    persistent_volume_claim,
    storage_class,
)

_RESOURCES = {
    (one.group, one.plural): Resource(one.group, one.version, one.plural, one.kind) for one in KNOWN
}


def additional(
    stored: Item, context: RestoreContext, made_anew: Collection[str] = ()
) -> tuple[Reference, ...]:
    """What a stored machine needs and only comes if it is named, and a warning of what lacks.

    Args:
        made_anew: names of the claims that CDI makes in place of those of the backup.
    """
    archive = context.archive
    try:
        needs = machines.needs(stored, archive)
        held = [one for one in needs if archive.holds(one)]
        lacking = [one for one in needs if one not in held and not _is_removed(one, held)]
        lacking = [one for one in lacking if not (machines.is_data(one) and one.name in made_anew)]
        lacking += [one for one in _of_cluster(stored, held, archive) if not archive.holds(one)]
    except ArchiveUnreadable as error:
        context.log.debug("not said what is missing: %s", error)
        return machines.noted_needs(stored)
    named = unselected.of(held, context)
    missing = list(_missing(lacking, context))
    if not missing:
        return named
    begin = f"{it.name(stored)} needs what is missing here: "
    context.log.warning("%s%s", begin, ", ".join(missing))
    return (*named, warning.listing(it.namespace(stored), begin, missing))


def _of_cluster(stored: Item, held: Iterable[Reference], archive: Archive) -> Sequence[Reference]:
    """As noted at backup; of a backup without our notes, as far as it tells."""
    if noted := tuple(cluster_needs.read(stored)):
        return noted
    claims = (archive.get(one) for one in held if one.is_of(persistent_volume_claim.RESOURCE))
    return cluster_needs.of_machine(stored, filter(None, claims))


def _is_removed(one: Reference, held: Sequence[Reference]) -> bool:
    """Whether this is a DataVolume that CDI has removed after it had filled its claim."""
    claim = persistent_volume_claim.RESOURCE.named(one.namespace, one.name)
    return one.is_of(data_volume.RESOURCE) and claim in held


def _missing(lacking: Iterable[Reference], context: RestoreContext) -> Iterator[str]:
    home = context.restore.namespace(it.namespace(context.stored))
    for one in lacking:
        resource = _RESOURCES.get((one.group, one.resource))
        name = one.name
        if one.is_of(storage_class.RESOURCE):
            name = repair.storage_classes(context).get(name, name)
        namespace = context.restore.namespace(one.namespace) if one.namespace else ""
        if resource and not _exists(resource, namespace, name, context):
            is_elsewhere = namespace and namespace != home
            yield f"{resource.kind} {name}" + (f" in {namespace}" if is_elsewhere else "")


def _exists(resource: Resource, namespace: str, name: str, context: RestoreContext) -> bool:
    is_secret = resource == core.SECRET  # not to read all others for the sake of one name
    found = context.cluster.single if is_secret else context.cluster.get
    return found(resource, namespace, name) is not None
