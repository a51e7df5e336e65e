"""Objects that a machine needs and no backup of its namespace brings: a mark on the machine.

A restore elsewhere reads the mark, to report what is missing there before a machine fails to start.
"""

from collections.abc import Iterable, Iterator

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources import references
from stillpoint.resources.disks import persistent_volume_claim, storage_class
from stillpoint.resources.machines import instancetype

MARK = "stillpoint.dev/needs-from-cluster"
"""Annotation of a stored machine: `resource.group/name`, or with a namespace in the middle, in one
line with commas between. For instance `storageclasses.storage.k8s.io/fast,
network-attachment-definitions.k8s.cni.cncf.io/lan/blue`, without the space.
"""


def of_machine(machine: Item, claims: Iterable[Item]) -> tuple[Reference, ...]:
    """The objects that the machine, or lone instance, needs from the cluster, each once.

    Args:
        claims: of its disks and state, which name their storage classes.
    """
    classes = map(persistent_volume_claim.storage_class, claims)
    template = it.mapping(machine, "spec", "template")
    specification = it.mapping(template or machine, "spec")
    metadata = it.mapping(template or machine, "metadata")
    found = (
        *instancetype.of_cluster(machine),
        *references.of_cluster(specification, metadata, it.namespace(machine)),
        *(storage_class.RESOURCE.named("", name) for name in classes if name),
    )
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.is_of(kinds.PRIORITY_CLASS)))


def with_mark(machine: Item, needs: Iterable[Reference]) -> Item:
    """The machine with a mark of these needs, or without a mark if there are none."""
    written = ",".join(map(_entry, needs))
    if not written:
        return it.without(machine, "metadata", "annotations", MARK)
    return it.with_annotation(machine, MARK, written)


def read(stored: Item) -> Iterator[Reference]:
    """The needs in the stored machine's mark."""
    for written in filter(None, it.text(stored, "metadata", "annotations", MARK).split(",")):
        resource, *namespace, name = written.split("/")
        plural, _dot, group = resource.partition(".")
        yield Reference(group, plural, "".join(namespace), name)


def _entry(need: Reference) -> str:
    return "/".join(filter(None, (need.group_resource, need.namespace, need.name)))
