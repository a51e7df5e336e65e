"""Reads what a check needs of a cluster: one list for each resource.

Nothing is changed, and of Secrets metadata alone is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from stillpoint.check import grants
from stillpoint.check.areas import locations
from stillpoint.check.case import Case
from stillpoint.check.rights import Right
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.api_resources import Served
from stillpoint.model.errors import NoResponse, ReadFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import counted
from stillpoint.model.reference import Resource
from stillpoint.rehearsal.sources import live_cluster
from stillpoint.rehearsal.sources.known import Known, Unread
from stillpoint.rehearsal.sources.live_cluster import Lists, Part
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim, storage_class
from stillpoint.resources.installation import (
    data_protection_application,
    node,
    operators,
    secret,
    snapshot_controller,
    storage_location,
    storage_profile,
    workload,
)
from stillpoint.resources.installation.roles import Account
from stillpoint.resources.machines import kubevirt, pod, virtual_machine, virtual_machine_instance
from stillpoint.velero import own_objects
from stillpoint.velero.selection.discovery import Discovery
from stillpoint.velero.volumes import (
    own_snapshots,
    volume_group_snapshot_class,
    volume_snapshot_class,
)

if TYPE_CHECKING:
    from stillpoint.cluster.kubernetes_reader import KubernetesReader

Progress = Callable[[int, int, str], None]

OF_CLUSTER = (
    node.RESOURCE,
    storage_class.RESOURCE,
    volume_snapshot_class.RESOURCE,
    volume_group_snapshot_class.RESOURCES[0],
    persistent_volume.RESOURCE,
    persistent_volume_claim.RESOURCE,
    virtual_machine.RESOURCE,
    virtual_machine_instance.RESOURCE,
    kubevirt.RESOURCE,
    operators.CDI,
    operators.CLUSTER_VERSION,
    operators.HYPER_CONVERGED,
    storage_profile.RESOURCE,
    kinds.NAMESPACE,
)
"""Listed in the whole cluster."""

BY_LABEL = {
    pod.RESOURCE: (pod.OF_MACHINES, *snapshot_controller.SELECTORS),
    kinds.VOLUME_SNAPSHOT: (own_snapshots.TAKEN_WITH,),
}
"""Listed in the whole cluster, by each of these selectors alone."""

WHERE_VELERO_IS = (data_protection_application.RESOURCE, storage_location.RESOURCE)
"""Listed in the whole cluster, unless namespaces are named."""

OF_VELERO = (
    workload.SERVER,
    workload.NODE_AGENT,
    kinds.CONFIG_MAP,
    operators.CLUSTER_SERVICE_VERSION,
    own_objects.SCHEDULE,
    own_objects.BACKUP,
)
"""Listed in the namespaces of Velero alone."""


def of_cluster(
    reader: "KubernetesReader", namespaces: Sequence[str], now: datetime, progress: Progress
) -> Case:
    """Objects of a live cluster.

    Args:
        namespaces: of Velero; empty to look for it.

    Raises:
        ReadFailed: the cluster does not answer.
        StillpointError: it is too old to be asked what it serves.
    """
    served = reader.discover()
    if served is None:
        cause = "its API server is older than 1.27, and does not say in one answer what it serves"
        raise StillpointError(reader.host, "cannot check it", cause, "use --from with a dump")
    discovery = Discovery(served)
    search = live_cluster.read_parts(reader, list(_first(discovery, namespaces)), progress)
    found = list(namespaces) or sorted(_namespaces(search.objects))
    parts = [Part(one, name) for name in found for one in _served(discovery, OF_VELERO)]
    known = _known(discovery, search, live_cluster.read_parts(reader, parts, progress), found)
    origin = f"{counted(len(known.objects), 'object')} of the cluster {reader.host}"
    known = replace(known, origin=origin)
    case = Case(known, {}, namespaces, now)
    unread: list[Unread] = []
    secrets = _secrets(case, reader, unread)
    lacking = _lacking(case, reader, progress, unread)
    known = replace(known, unread=(*known.unread, *unread))
    return Case(known, secrets, namespaces, now, lacking)


def _first(discovery: Discovery, namespaces: Sequence[str]) -> Iterator[Part]:
    for one in _served(discovery, OF_CLUSTER):
        yield Part(one)
    for resource, selectors in BY_LABEL.items():
        for one in _served(discovery, (resource,)):
            yield from (Part(one, labels=labels) for labels in selectors)
    for one in _served(discovery, WHERE_VELERO_IS):
        yield from (Part(one, name) for name in namespaces or ("",))
    if not namespaces:
        for one in _served(discovery, (workload.SERVER,)):
            yield from (Part(one, labels=labels) for labels in workload.LABELS)


def _served(discovery: Discovery, resources: Iterable[Resource]) -> list[Served]:
    """The resources that the cluster has, each in the version that it serves."""
    by_name = {one.name: one for one in discovery.served}
    return [by_name[str(one)] for one in resources if str(one) in by_name]


def _namespaces(objects: Iterable[Item]) -> set[str]:
    wanted = {(one.group, one.kind) for one in (*WHERE_VELERO_IS, workload.SERVER)}
    return {it.namespace(one) for one in objects if it.group_kind(one) in wanted}


def _known(discovery: Discovery, search: Lists, own: Lists, found: Sequence[str]) -> Known:
    """The objects of both rounds, each once; a resource of which a list failed is incomplete.

    That Deployments could not be searched for leaves nothing open of a Velero that was found.
    """
    objects = {
        (it.group_kind(one), it.namespace(one), it.name(one)): one
        for one in (*search.objects, *own.objects)
    }
    failed = search.incomplete | own.incomplete
    if found and str(workload.SERVER) not in own.incomplete:
        failed -= {str(workload.SERVER)}
    complete = {str(one) for one in (*OF_CLUSTER, *BY_LABEL, *WHERE_VELERO_IS, *OF_VELERO)} - failed
    unread = {(one.resource, one.cause): one for one in (*search.unread, *own.unread)}
    return Known(
        tuple(objects.values()), discovery, frozenset(complete), "", tuple(unread.values())
    )


def _secrets(
    case: Case, reader: "KubernetesReader", unread: list[Unread]
) -> dict[tuple[str, str], Item | None]:
    """The metadata of each Secret that a location names; what cannot be read goes to `unread`."""
    secrets: dict[tuple[str, str], Item | None] = {}
    for namespace, name in locations.named_secrets(case):
        try:
            found = reader.get(secret.RESOURCE, namespace, name)
        except NoResponse:
            raise
        except ReadFailed as error:
            resource = f"{secret.RESOURCE} {namespace}/{name}"
            unread.append(Unread(resource, error.cause, error.hint))
        else:
            secrets[namespace, name] = found and secret.without_values(found)
    return secrets


def _lacking(
    case: Case, reader: "KubernetesReader", progress: Progress, unread: list[Unread]
) -> dict[str, tuple[Right, ...]]:
    """The rights that Velero's accounts lack: see `grants`; what nothing says goes to `unread`."""
    lacking: dict[str, tuple[Right, ...]] = {}
    for one in case.installations:
        if one.server:
            account = Account(one.namespace, workload.account(one.server))
            asked = grants.lacking(account, case.known.discovery, reader, progress)
            if isinstance(asked, list):
                unread += asked
            else:
                lacking[one.namespace] = asked
    return lacking
