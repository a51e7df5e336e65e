"""The cluster of a rehearsal, as actions read it: objects that were read before."""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence

from stillpoint.model import item as it
from stillpoint.model.errors import ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.reader import PAGE, Change, Lookup, Stream
from stillpoint.model.reference import Reference, Resource
from stillpoint.velero.selection.label_selector import LabelSelector

_CAUSE = "a rehearsal changes nothing"
_CAUSE_OF_GUESTS = "a rehearsal watches no guest"


class RehearsedCluster:
    """Reads given objects; see `Reader`. Each change is refused.

    An object is served in each version of its resource, as if versions differed in name only. A
    kind that the rehearsal may not read has no objects here: Velero's account may read that kind,
    so that an error would be none of the backup's. The verdict lists unknown facts.

    Attributes:
        requests: number of requests to a Kubernetes API server: one per `get`, page of a list and
            watch.

    Args:
        objects: each under its reference, cluster-scoped ones without a namespace.
    """

    def __init__(self, objects: Mapping[Reference, Item]) -> None:
        self.requests = 0
        self._objects: dict[Reference, Item] = {}
        self._lists: defaultdict[tuple[str, str, str], list[Item]] = defaultdict(list)
        for reference in sorted(objects):
            self.add(reference, objects[reference])

    def has(self, reference: Reference) -> bool:
        """True if there is such an object."""
        return reference in self._objects

    def add(self, reference: Reference, item: Item) -> None:
        """Adds an object, at the end of lists."""
        self._objects[reference] = item
        group, resource, namespace, _ = reference
        for scope in {namespace, ""}:
            self._lists[group, resource, scope].append(item)

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """See `Reader.get`."""
        self.requests += 1
        found = self._objects.get(resource.named(namespace, name))
        return None if found is None else _as_version(found, resource)

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        """See `Reader.list`; in the order of namespaces and names."""
        selector = LabelSelector.parse(labels)
        listed = self._lists.get((resource.group, resource.plural, namespace), ())
        found = [_as_version(one, resource) for one in listed if selector.matches(it.labels(one))]
        self.requests += max(1, -(-len(found) // PAGE))
        return found

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        """See `Reader.follow`: nothing changes."""
        del longest_s
        found = {it.name(one): one for one in self.list(resource, namespace)}
        self.requests += bool(found)  # the watch
        return found.get

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        """See `Reader.changes`: the state now, of what was read before."""
        del longest_s
        yield from map(Change, self.list(resource, namespace, labels))

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> Stream[Change]:
        """Refuses; see `Reader.watch`."""
        del longest_s
        raise ReadFailed(str(resource.named(namespace, name)), "cannot watch", _CAUSE_OF_GUESTS)

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> Stream[bytes]:
        """Refuses; see `Reader.log`."""
        del container, oldest_s, follow_s
        raise ReadFailed(f"log of {pod}", "cannot get", _CAUSE_OF_GUESTS)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        """Refuses; see `Writer.patch`."""
        del change, subresource
        raise ReadFailed(str(resource.named(namespace, name)), "cannot patch", _CAUSE)

    def create(self, resource: Resource, item: Item) -> Item | None:
        """Refuses; see `Writer.create`."""
        raise ReadFailed(str(resource.named(*_identity(item))), "cannot create", _CAUSE)

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        """Refuses; see `Writer.put`."""
        del subresource
        raise ReadFailed(str(resource.named(namespace, name)), "cannot update", _CAUSE)

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        """Refuses; see `Writer.delete`."""
        del uid, version
        raise ReadFailed(str(resource.named(namespace, name)), "cannot delete", _CAUSE)


def _identity(item: Item) -> tuple[str, str]:
    return it.namespace(item), it.name(item)


def _as_version(item: Item, resource: Resource) -> Item:
    group, version = resource.group, resource.version
    api_version = f"{group}/{version}" if group else version
    if item.get("apiVersion") == api_version and item.get("kind") == resource.kind:
        return item
    return {**item, "apiVersion": api_version, "kind": resource.kind}
