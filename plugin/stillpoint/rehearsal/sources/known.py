"""Known and unknown facts of a cluster."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.api_resources import KNOWN, Served, guess_plural
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.velero.selection.discovery import Discovery


@dataclass(frozen=True, slots=True)
class Unread:
    """An unreadable resource, which leaves facts open.

    Attributes:
        resource: `volumesnapshotclasses.snapshot.storage.k8s.io`; empty for the whole cluster.
        cause: the reader's error.
        hint: the remedy; may be empty.
        is_served: false where the cluster has no such resource at all, so that nothing is left
            open.
    """

    resource: str
    cause: str
    hint: str = ""
    is_served: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """The objects of a cluster.

    Attributes:
        objects: each with apiVersion, kind and a name.
        discovery: the resources of the cluster, in the order in which Velero collects them.
        complete: resources, as `plural.group`, of which an object that is not here does not exist.
        unread: what could not be read.
        origin: for a person, for instance `54 objects from 6 files in examples`.
        is_discovered: true if the cluster itself said which resources it serves.
    """

    objects: tuple[Item, ...]
    discovery: Discovery
    complete: frozenset[str]
    origin: str
    unread: tuple[Unread, ...] = ()
    is_discovered: bool = False

    @classmethod
    def of_manifests(cls, objects: Iterable[Item], origin: str) -> "Known":
        """Objects of a folder, which may leave kinds out: a kind without objects is not known."""
        objects = tuple(objects)
        discovery = Discovery(_resources(objects))
        by_kind = {(one.group, one.kind): one for one in discovery.served}
        complete = frozenset(by_kind[it.group_kind(item)].name for item in objects)
        return cls(objects, discovery, complete, origin)

    def placed(self) -> Iterator[tuple[Reference, Served, Item]]:
        """Each object with its reference and resource, in the namespace in which it is."""
        by_kind = {(one.group, one.kind): one for one in reversed(self.discovery.served)}
        for item in self.objects:
            yield _place(item, by_kind[it.group_kind(item)])

    def covers(self, resource: Resource) -> bool:
        """True if an object of this resource that is not here does not exist."""
        return str(resource) in self.complete


def _place(item: Item, served: Served) -> tuple[Reference, Served, Item]:
    namespace = (it.namespace(item) or "default") if served.is_namespaced else ""
    if namespace != it.namespace(item):
        item = it.with_value(item, namespace, "metadata", "namespace")
    return Reference(served.group, served.plural, namespace, it.name(item)), served, item


def _resources(objects: Iterable[Item]) -> Iterator[Served]:
    """The known resources, then further resources of the objects."""
    custom = [one for one in KNOWN if not one.is_built_in]
    yield from (one for one in KNOWN if one.is_built_in)
    known = {(one.group, one.kind) for one in KNOWN}
    for item in objects:
        group, kind = it.group_kind(item)
        if (group, kind) not in known:
            known.add((group, kind))
            version = str(item["apiVersion"]).rpartition("/")[2]
            is_namespaced = bool(it.namespace(item))
            custom.append(Served(group, version, guess_plural(kind), kind, is_namespaced))
    yield from sorted(custom, key=lambda one: one.group)
