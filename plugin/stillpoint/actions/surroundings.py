"""Objects around an item in its namespace that the item does not name.

Found in a single list per kind and namespace (`model.reader.Index`).
"""

from collections.abc import Iterable, Iterator, Sequence
from weakref import WeakKeyDictionary

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import pod, virtual_machine, virtual_machine_instance

_refusals: WeakKeyDictionary[Index, dict[str, tuple[str, ...]]] = WeakKeyDictionary()
"""Words of those of Namespaces, by a backup's view of the cluster."""


def namespace(cluster: Index, name: str) -> Item | None:
    """The Namespace of this name; who may not read it is asked once per backup, not per machine.

    Raises:
        ReadFailed: the read failed.
    """
    refusals = _refusals.setdefault(cluster, {})
    if name in refusals:
        raise Forbidden(*refusals[name])
    try:
        return cluster.single(kinds.NAMESPACE, "", name)
    except Forbidden as error:
        refusals[name] = (error.subject, error.attempt, error.cause, error.hint)
        raise


def instance(cluster: Index, machine: Item) -> Item | None:
    """The instance of a virtual machine; None if there is none."""
    return latest_instance(cluster, machine) if virtual_machine.has_instance(machine) else None


def latest_instance(cluster: Index, item: Item) -> Item | None:
    """The latest instance of the name of a machine, or of an instance that was read before."""
    return cluster.latest(virtual_machine_instance.RESOURCE, *it.identify(item))


def launcher_pod(cluster: Index, instance: Item) -> Item | None:
    """The pod in which the guest of an instance runs now, or None.

    A guest that was migrated since the pods were listed has a later one, which is looked up.
    """
    return pod.live(launcher_pods(cluster, instance), instance)


def launcher_pods(cluster: Index, instance: Item) -> Sequence[Item]:
    """The pods that pass for launchers of an instance; see `launcher_pod`."""
    namespace, name = it.identify(instance)
    own = pod.of_instance(instance)
    pods: Sequence[Item] = ()
    for labels in (pod.OF_MACHINES, own):  # each is listed once
        listed = cluster.list_grouped(pod.RESOURCE, namespace, pod.instances, labels)
        pods = listed.get(name) or pods
        if pod.are_all(pods, instance):
            return pods
    now = cluster.list_now(pod.RESOURCE, namespace, own)
    return [one for one in now if name in pod.instances(one)] or pods


def mounting(cluster: Index, namespace: str, claim: str) -> Iterator[Item]:
    """All pods that mount the claim of this name, those of machines first.

    Two lists: most of what is asked about pods is about those of machines.
    """
    for labels in (pod.OF_MACHINES, pod.OF_OTHERS):
        pods = cluster.list_grouped(pod.RESOURCE, namespace, pod.claims, labels)
        yield from pods.get(claim, ())


def state_claims(cluster: Index, machine: Item, instance: Item | None = None) -> Sequence[Item]:
    """The claims with vTPM, EFI and changed-block state of a machine, or of an instance.

    They are found by label, by the name that older versions gave, and by an instance's status.
    """
    namespace, name = it.identify(machine)
    by_machine = cluster.list_grouped(
        persistent_volume_claim.RESOURCE, namespace, persistent_volume_claim.machines_with_state
    )
    found = {it.name(claim): claim for claim in by_machine.get(name, ())}
    used = set(virtual_machine_instance.state_claims(instance or {})) - set(found)
    return (*found.values(), *claims(cluster, namespace, used))


def claims(cluster: Index, namespace: str, names: Iterable[str]) -> Iterator[Item]:
    """The existing claims of these names."""
    for name in names:
        if claim := cluster.get(persistent_volume_claim.RESOURCE, namespace, name):
            yield claim
