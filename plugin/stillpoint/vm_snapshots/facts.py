"""All that a cluster shows about machines whose snapshot is to be taken.

A dozen lists per namespace, however many machines there are. What the account may not read is in
`unread`; nothing is guessed from a list that is missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.model.reference import Resource
from stillpoint.resources.disks import (
    data_volume,
    persistent_volume_claim,
    storage_class,
    storage_profile,
)
from stillpoint.resources.machines import kubevirt, pod, virtual_machine, virtual_machine_instance
from stillpoint.velero import own_objects
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.selection.label_selector import LabelSelector
from stillpoint.velero.volumes import volume_snapshot_class
from stillpoint.vm_snapshots.errors import NoSuchObject

_NEEDED = (
    virtual_machine.RESOURCE,
    virtual_machine_instance.RESOURCE,
    persistent_volume_claim.RESOURCE,
    data_volume.RESOURCE,
    pod.RESOURCE,
)
_OF_CLUSTER = (
    storage_class.RESOURCE,
    storage_profile.RESOURCE,
    volume_snapshot_class.RESOURCE,
    kubevirt.RESOURCE,
    own_objects.BACKUP,
)
_WORKERS = 6

Named: TypeAlias = Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """Objects of one namespace by resource and name, and those of the cluster that matter there.

    Attributes:
        unread: what the account may not read.
    """

    namespace: str
    objects: Mapping[Resource, Named]
    everywhere: Mapping[Resource, Sequence[Item]]
    unread: Mapping[Resource, Forbidden]

    @classmethod
    def read(cls, reader: Reader, namespace: str) -> "NamespaceFacts":
        """Reads them.

        Raises:
            ReadFailed: a request failed, or the account may not read the namespace.
        """
        with ThreadPoolExecutor(_WORKERS) as workers:
            own = workers.map(lambda one: reader.list(one, namespace), _NEEDED)
            others = workers.map(lambda one: _read_if_allowed(reader, one), _OF_CLUSTER)
            lists = zip(_NEEDED, own, strict=True)
            objects = {each: {it.name(one): one for one in found} for each, found in lists}
            results = dict(zip(_OF_CLUSTER, others, strict=True))
        unread = {each: one for each, one in results.items() if isinstance(one, Forbidden)}
        everywhere = {
            each: tuple(one) for each, one in results.items() if not isinstance(one, Forbidden)
        }
        return cls(namespace, objects, everywhere, unread)

    def get(self, resource: Resource, name: str) -> Item | None:
        """The object of the namespace; None if there is none."""
        return self.objects[resource].get(name)

    def all_of(self, resource: Resource) -> Iterable[Item]:
        """All objects of a resource of the namespace."""
        return self.objects[resource].values()

    def named(self, resource: Resource, name: str) -> Item | None:
        """The object of the cluster; None if there is none, or it may not be read."""
        found = (one for one in self.everywhere.get(resource, ()) if it.name(one) == name)
        return next(found, None)

    def machine(self, name: str) -> "MachineFacts":
        """The facts of a machine.

        Raises:
            NoSuchObject: there is no such machine.
        """
        found = self.get(virtual_machine.RESOURCE, name)
        if found is None:
            subject = f"VirtualMachine {self.namespace}/{name}"
            cause = "there is no such machine"
            raise NoSuchObject(
                subject, "cannot look at it", cause, f"oc get vm -n {self.namespace}"
            )
        return MachineFacts(self, found, self.get(virtual_machine_instance.RESOURCE, name))

    def labelled(self, selector: LabelSelector) -> Sequence["MachineFacts"]:
        """The facts of each machine whose labels the selector matches, in the order of names."""
        machines = self.all_of(virtual_machine.RESOURCE)
        chosen = (it.name(one) for one in machines if selector.matches(it.labels(one)))
        return [self.machine(name) for name in sorted(chosen)]


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """A machine in its namespace.

    Attributes:
        instance: the guest; None if there is none, as of a machine that is off.
    """

    around: NamespaceFacts
    machine: Item
    instance: Item | None

    @property
    def name(self) -> str:
        """Name of the machine."""
        return it.name(self.machine)

    @property
    def title(self) -> str:
        """`shop/db`."""
        return f"{self.around.namespace}/{self.name}"

    def backups(self) -> Sequence[str]:
        """Names of Velero's backups that are under way and take the machine, or its guest."""
        parts = [self.machine, *([self.instance] if self.instance else []), *self.launchers()]
        resources = (virtual_machine.RESOURCE, virtual_machine_instance.RESOURCE, pod.RESOURCE)
        by_kind = {one.kind: one for one in resources}
        running = filter(own_objects.is_running, self.around.everywhere.get(own_objects.BACKUP, ()))
        return [
            it.name(backup)
            for backup in running
            if any(Filters.parse(backup).selects(by_kind[one["kind"]], one) for one in parts)
        ]

    def launchers(self) -> Sequence[Item]:
        """The launcher pods of the machine's guest."""
        pods = self.around.all_of(pod.RESOURCE)
        return [one for one in pods if self.name in pod.instances(one)]


def _read_if_allowed(reader: Reader, resource: Resource) -> Sequence[Item] | Forbidden:
    try:
        return reader.list(resource, "")
    except Forbidden as error:
        return error
