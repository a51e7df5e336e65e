"""Reads the objects of a live cluster that concern virtual machines, and changes nothing.

Sends one list per resource, however many machines there are. Missing rights are reported, and
nothing is guessed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.api_resources import Served
from stillpoint.model.errors import NoResponse, ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.names import counted
from stillpoint.model.reference import Resource
from stillpoint.rehearsal.sources.known import Known, Unread
from stillpoint.resources.disks import storage_class_mapping
from stillpoint.velero import own_objects, preparation, server
from stillpoint.velero.request import Backup
from stillpoint.velero.selection.discovery import STATIC, Discovery

if TYPE_CHECKING:
    from stillpoint.cluster.kubernetes_reader import KubernetesReader

MOST_NAMESPACES = 5
"""Of more, the whole cluster is read: that is fewer requests."""

_WORKERS = 6
_AROUND_MACHINES = (
    "pods",
    "persistentvolumeclaims",
    "persistentvolumes",
    "namespaces",
    "secrets",
    "configmaps",
    "serviceaccounts",
    "controllerrevisions.apps",
    "storageclasses.storage.k8s.io",
    "volumesnapshotclasses.snapshot.storage.k8s.io",
    "virtualmachines.kubevirt.io",
    "virtualmachineinstances.kubevirt.io",
    "virtualmachineinstancereplicasets.kubevirt.io",
    "virtualmachinepools.pool.kubevirt.io",
    "virtualmachineinstancemigrations.kubevirt.io",
    "kubevirts.kubevirt.io",
    "virtualmachineinstancetypes.instancetype.kubevirt.io",
    "virtualmachinepreferences.instancetype.kubevirt.io",
    "virtualmachineclusterinstancetypes.instancetype.kubevirt.io",
    "virtualmachineclusterpreferences.instancetype.kubevirt.io",
    "datavolumes.cdi.kubevirt.io",
    "network-attachment-definitions.k8s.cni.cncf.io",
    "backups.velero.io",
)
_OF_TARGET = (
    "resourcequotas",
    "limitranges",
    "priorityclasses.scheduling.k8s.io",
    "csidrivers.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
)
_MISSING = {
    "virtualmachines.kubevirt.io": "KubeVirt is not installed in this cluster",
    "volumesnapshotclasses.snapshot.storage.k8s.io": "the snapshot API of CSI is not installed in "
    "this cluster: no snapshot can be taken",
    "backups.velero.io": "Velero is not installed in this cluster",
}
_TWICE = ("events.events.k8s.io",)
"""The same objects as another resource's, which Velero takes."""

_EVERYWHERE = ("kubevirts.kubevirt.io", "backups.velero.io")
"""Namespaced, but of interest wherever they are."""

_MANAGED = ("metadata", "managedFields")

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a cluster to read.

    Attributes:
        namespaces: empty means all.
        is_whole: every resource that Velero collects, not only what concerns machines.
        is_target: also what limits a restore, and tells which storage is there.
    """

    namespaces: tuple[str, ...] = ()
    is_whole: bool = False
    is_target: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One list.

    Attributes:
        namespace: empty for the cluster.
        labels: a selector; empty for all objects.
    """

    served: Served
    namespace: str = ""
    labels: str = ""


@dataclass(frozen=True, slots=True)
class Lists:
    """Results of lists.

    Attributes:
        incomplete: names of resources of which a list failed.
    """

    objects: tuple[Item, ...]
    incomplete: frozenset[str]
    unread: tuple[Unread, ...]


def read(reader: "KubernetesReader", scope: Scope, progress: Progress) -> Known:
    """Everything of the scope.

    Args:
        progress: called after each list: lists done, lists in all, what was read.

    Raises:
        ReadFailed: the cluster does not answer at all.
    """
    served = reader.discover()
    discovery = Discovery(served) if served is not None else STATIC
    names = (*_AROUND_MACHINES, *(_OF_TARGET if scope.is_target else ()))
    wanted = [
        one
        for one in discovery.served
        if one.name in names or (scope.is_whole and one.name not in _TWICE)
    ]
    parts = [part for one in wanted for part in _parts(one, _few(scope.namespaces))]
    lists = read_parts(reader, parts, progress)
    unread = (*_not_served(discovery, is_discovered=served is not None), *lists.unread)
    complete = _complete(discovery, wanted, lists.incomplete, is_discovered=served is not None)
    origin = f"{counted(len(lists.objects), 'object')} of the cluster {reader.host}"
    return Known(lists.objects, discovery, complete, origin, unread, served is not None)


def read_parts(reader: "KubernetesReader", parts: Sequence[Part], progress: Progress) -> Lists:
    """Sends the lists, a few at the same time.

    Raises:
        NoResponse: the cluster does not answer.
    """
    objects: list[Item] = []
    unread, incomplete = [], set()
    with ThreadPoolExecutor(_WORKERS) as workers:
        results = workers.map(lambda part: _list(reader, part), parts)
        for number, (part, result) in enumerate(zip(parts, results, strict=True), 1):
            if isinstance(result, ReadFailed):
                incomplete.add(part.served.name)
                unread.append(Unread(part.served.name, result.cause, result.hint))
            else:
                objects += result
            progress(number, len(parts), part.served.plural)
    return Lists(tuple(objects), frozenset(incomplete), tuple(unread))


def with_policies(known: Known, asked: Item, reader: "KubernetesReader") -> Known:
    """Adds the resource policies of a Backup, which live beside the Backup, not in the scope.

    Policies of all backups are named by a flag of the server, so that its Deployment is read as
    well, which also has the server's plugins.
    """
    namespace = it.namespace(asked)
    known = _with(known, server.RESOURCE, namespace, [server.NAME], reader)
    request = Backup.parse(preparation.under_server(asked, known.objects))
    return _with(known, kinds.CONFIG_MAP, namespace, request.policies, reader)


def with_storage_classes(known: Known, namespace: str, reader: "KubernetesReader") -> Known:
    """Adds Velero's mapping of storage classes, which lives in Velero's namespace."""
    return _with_all(known, kinds.CONFIG_MAP, namespace, storage_class_mapping.SELECTOR, reader)


def with_schedules(known: Known, reader: "KubernetesReader") -> Known:
    """Adds the Schedules of every Velero in the cluster."""
    return _with_all(known, own_objects.SCHEDULE, "", "", reader)


def _with_all(
    known: Known, resource: Resource, namespace: str, labels: str, reader: "KubernetesReader"
) -> Known:
    """Adds the objects of a list."""
    served = Served(resource.group, resource.version, resource.plural, resource.kind, True)
    lists = read_parts(reader, [Part(served, namespace, labels)], lambda *_: None)
    return replace(
        known, objects=(*known.objects, *lists.objects), unread=(*known.unread, *lists.unread)
    )


def _with(
    known: Known,
    resource: Resource,
    namespace: str,
    names: Iterable[str],
    reader: "KubernetesReader",
) -> Known:
    """Adds these objects, each read unless it is there."""
    of_kind = (one for one in known.objects if one["kind"] == resource.kind)
    read_ = {(it.namespace(one), it.name(one)) for one in of_kind}
    found, unread = [], list(known.unread)
    for name in names:
        if (namespace, name) in read_:
            continue
        try:
            item = reader.get(resource, namespace, name)
        except ReadFailed as error:
            unread.append(Unread(str(resource), error.cause, error.hint))
        else:
            found += [it.without(item, *_MANAGED)] if item else []
    return replace(known, objects=(*known.objects, *found), unread=tuple(unread))


def _few(namespaces: Sequence[str]) -> Sequence[str]:
    return namespaces if len(namespaces) <= MOST_NAMESPACES else ()


def _parts(served: Served, namespaces: Sequence[str]) -> Iterator[Part]:
    is_split = served.is_namespaced and namespaces and served.name not in _EVERYWHERE
    yield from (Part(served, name) for name in (namespaces if is_split else ("",)))


def _list(reader: "KubernetesReader", part: Part) -> Sequence[Item] | ReadFailed:
    one = part.served
    resource = Resource(one.group, one.version, one.plural, one.kind)
    try:
        return [*reader.list(resource, part.namespace, part.labels)]
    except NoResponse:
        raise
    except ReadFailed as error:
        return error


def _not_served(discovery: Discovery, *, is_discovered: bool) -> Iterator[Unread]:
    if not is_discovered:
        cause = "the API server is older than 1.27 and does not say in one answer what it serves"
        yield Unread("", cause, "what is in no list of a newer one is passed over")
        return
    names = {one.name for one in discovery.served}
    for name, cause in _MISSING.items():
        if name not in names:
            yield Unread(name, cause, is_served=False)


def _complete(
    discovery: Discovery,
    wanted: Iterable[Served],
    incomplete: Collection[str],
    *,
    is_discovered: bool,
) -> frozenset[str]:
    """Resources that were read in full, or that the cluster does not serve and so has none of."""
    read_ = {one.name for one in wanted} - set(incomplete)
    served = {one.name for one in discovery.served}
    unserved = {name for name in _AROUND_MACHINES if name not in served} if is_discovered else set()
    return frozenset(read_ | unserved)
