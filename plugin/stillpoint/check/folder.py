"""Reads what a check needs from a folder of manifests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from stillpoint.check import dump, rights
from stillpoint.check.areas import locations
from stillpoint.check.case import Case
from stillpoint.check.rights import Right
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.rehearsal import requests
from stillpoint.rehearsal.errors import UnreadableManifests
from stillpoint.rehearsal.sources.known import Known, Unread
from stillpoint.rehearsal.sources.manifests import Progress
from stillpoint.resources.installation import node, roles, secret, workload
from stillpoint.resources.installation.roles import Account

_OF_NAMESPACE = (workload.SERVER, workload.NODE_AGENT, kinds.CONFIG_MAP)
"""Dumped together: a namespace without any of them was not dumped, as each has a ConfigMap."""


def of_folder(folder: Path, namespaces: Sequence[str], progress: Progress) -> Case:
    """Objects of a folder, as `oc adm must-gather` or `oc get -o yaml` leave them.

    A file that cannot be read is reported by its name, and leaves its resource open, or all if its
    place does not say which it is of. A Secret that is not in the folder does not exist if others
    of its namespace are in it. VolumeSnapshots that are not in it are no question: few dumps have
    them, and they are about space alone. The time of the objects is that of the newest word of a
    node, or of the dump itself.

    Raises:
        UnreadableManifests: the folder has no objects, or those of two clusters.
    """
    spoilt: dict[Path, UnreadableManifests] = {}
    known = requests.of_folder(folder, progress, spoilt.__setitem__)
    known = _without_spoilt(known, folder, spoilt)
    complete = known.complete | {str(kinds.VOLUME_SNAPSHOT)}
    objects = tuple(map(_without_values, known.objects))
    known = replace(known, objects=objects, complete=complete)
    known = _without_undumped(known, namespaces)
    there = {(it.namespace(one), it.name(one)): one for one in known.objects if _is_secret(one)}
    dumped = {namespace for namespace, _ in there}
    case = Case(known, {}, namespaces)
    absent = [one for one in locations.named_secrets(case) if one[0] in dumped]
    secrets = {**dict.fromkeys(absent), **there} if case.known.covers(secret.RESOURCE) else there
    nodes = map(node.heartbeat, case.found(node.RESOURCE))
    now = max(filter(None, (*nodes, *dump.times(folder))), default=None)
    return Case(known, secrets, namespaces, now, lacking(case))


def _without_spoilt(known: Known, folder: Path, spoilt: dict[Path, UnreadableManifests]) -> Known:
    """The resources of files that cannot be read are not complete."""
    lost = {dump.resource_of(file.relative_to(folder)) for file in spoilt}
    complete = frozenset() if None in lost else known.complete - lost
    unread = tuple(Unread(f"file {error.subject}", error.cause) for error in spoilt.values())
    return replace(known, complete=complete, unread=(*known.unread, *unread))


def _without_undumped(known: Known, namespaces: Sequence[str]) -> Known:
    """Workloads of a namespace that nobody dumped are not known, if others are dumped."""
    dumped = {it.namespace(one) for one in _of(known, (one.kind for one in _OF_NAMESPACE))}
    if all(one.namespace in dumped for one in Case(known, {}, namespaces).installations):
        return known
    return replace(known, complete=known.complete - set(map(str, _OF_NAMESPACE)))


def _of(known: Known, kinds_: Iterable[str]) -> Iterator[Item]:
    wanted = set(kinds_)
    return (one for one in known.objects if one["kind"] in wanted)


def lacking(case: Case) -> dict[str, tuple[Right, ...]]:
    """The rights that Velero's accounts lack, by namespace.

    Without an entry nothing says: a role or binding that is not in the folder could give more.
    """
    served = {one.name for one in case.known.discovery.served}
    is_whole = all(map(case.known.covers, (*roles.OF_CLUSTER, *roles.OF_NAMESPACE)))
    found = {
        one.namespace: rights.lacking(
            Account(one.namespace, workload.account(one.server)), case.known.objects, served
        )
        for one in case.installations
        if one.server
    }
    return {name: tuple(each) for name, each in found.items() if is_whole or not each}


def _is_secret(item: Item) -> bool:
    return it.group_kind(item) == ("", secret.RESOURCE.kind)


def _without_values(item: Item) -> Item:
    return secret.without_values(item) if _is_secret(item) else item
