"""The objects of an installation, and what is known of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from stillpoint.check.found import NotKnown
from stillpoint.check.rights import Right
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.sources.known import Known
from stillpoint.resources.disks import (
    persistent_volume,
    persistent_volume_claim,
    storage_class,
    volume,
)
from stillpoint.resources.installation import (
    data_protection_application,
    operators,
    storage_location,
    workload,
)
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero import own_objects


class MissingObjects(Exception):
    """A fact needs objects that were not read."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.open = NotKnown(cause)


@dataclass(frozen=True, slots=True)
class Location:
    """A place for backups: its object, or what will become one.

    Attributes:
        is_made: false for an entry of a DataProtectionApplication without an object yet.
    """

    item: Item
    is_made: bool

    @property
    def title(self) -> str:
        """`openshift-adp/default`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    @property
    def has_status(self) -> bool:
        """True if the object is of a cluster, not a manifest that nobody has applied."""
        return self.is_made and bool(it.uid(self.item) or it.mapping(self.item, "status"))

    @property
    def names(self) -> dict[str, str]:
        """Fields of a remedy."""
        return {"namespace": it.namespace(self.item), "name": it.name(self.item)}


@dataclass(frozen=True, slots=True)
class Installation:
    """Velero in one namespace.

    Attributes:
        applications: DataProtectionApplications; OADP takes one.
        server: Velero's Deployment; None if there is none, or none that was read.
    """

    namespace: str
    applications: tuple[Item, ...]
    server: Item | None
    node_agent: Item | None
    locations: tuple[Location, ...]
    schedules: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Disk:
    """A claim of a virtual machine, and the driver of its volume.

    Attributes:
        driver: None if nothing says; empty if no CSI driver serves it.
        storage_class: its object; None if the claim names none that is known.
    """

    claim: Reference
    machine: Reference
    driver: str | None
    storage_class: Item | None


class Case:
    """An index of what was read.

    Args:
        secrets: what is known of Secrets that locations name; None for one that does not exist.
        asked: the namespaces that were asked for; empty for all with a Velero.
        now: the time of the objects; None for manifests that do not say.
        lacking: by namespace, the rights that the plugin lacks there; without an entry nothing
            says.
    """

    def __init__(
        self,
        known: Known,
        secrets: Mapping[tuple[str, str], Item | None],
        asked: Sequence[str] = (),
        now: datetime | None = None,
        lacking: Mapping[str, tuple[Right, ...]] | None = None,
    ) -> None:
        self.known = known
        self.now = now
        self._secrets = secrets
        self._lacking = lacking or {}
        self.asked = tuple(asked)
        self._served = {one.name for one in known.discovery.served}
        self._by_kind: dict[tuple[str, str], list[Item]] = {}
        for item in known.objects:
            self._by_kind.setdefault(it.group_kind(item), []).append(item)

    def found(self, resource: Resource) -> Sequence[Item]:
        """The objects that were read, perhaps not all."""
        return self._by_kind.get((resource.group, resource.kind), ())

    def all(self, resource: Resource) -> Sequence[Item]:
        """All objects.

        Raises:
            MissingObjects: not all of them were read.
        """
        if not self.known.covers(resource):
            raise MissingObjects(f"{resource} were not read")
        return self.found(resource)

    def is_served(self, resource: Resource) -> bool:
        """True if the cluster has the resource.

        Raises:
            MissingObjects: nothing says.
        """
        if self.found(resource):
            return True
        self.all(resource)
        return str(resource) in self._served

    def secret(self, namespace: str, name: str) -> Item | None:
        """A Secret that a location names, or None if it does not exist.

        Raises:
            MissingObjects: it could not be read.
        """
        if not name:
            return None
        try:
            return self._secrets[namespace, name]
        except KeyError:
            raise MissingObjects(f"secret {namespace}/{name} was not read") from None

    def lacking(self, namespace: str) -> tuple[Right, ...] | None:
        """The rights that the plugin lacks in the Velero of a namespace; None if nothing says."""
        return self._lacking.get(namespace)

    @cached_property
    def installations(self) -> tuple[Installation, ...]:
        """One for each namespace with a Velero, a DataProtectionApplication or a location."""
        namespaces = dict.fromkeys(
            (
                *self.asked,
                *map(it.namespace, self.found(data_protection_application.RESOURCE)),
                *map(it.namespace, filter(workload.is_server, self.found(workload.SERVER))),
                *map(it.namespace, self.found(storage_location.RESOURCE)),
            )
        )
        chosen = (one for one in namespaces if not self.asked or one in self.asked)
        made = map(self._installation, sorted(chosen))
        return tuple(one for one in made if one.applications or one.server or one.locations)

    def _installation(self, namespace: str) -> Installation:
        applications = self.in_namespace(namespace, data_protection_application.RESOURCE)
        servers = filter(workload.is_server, self.in_namespace(namespace, workload.SERVER))
        agents = self.in_namespace(namespace, workload.NODE_AGENT)
        agent = (one for one in agents if it.name(one) == workload.NODE_AGENT_NAME)
        locations = tuple(
            _locations(self.in_namespace(namespace, storage_location.RESOURCE), applications)
        )
        schedules = self.in_namespace(namespace, own_objects.SCHEDULE)
        return Installation(
            namespace,
            tuple(applications),
            next(servers, None),
            next(agent, None),
            locations,
            tuple(schedules),
        )

    def in_namespace(self, namespace: str, resource: Resource) -> Sequence[Item]:
        """The objects of a namespace that were read."""
        return [one for one in self.found(resource) if it.namespace(one) == namespace]

    @cached_property
    def is_openshift(self) -> bool:
        """True on OpenShift.

        Raises:
            MissingObjects: nothing says.
        """
        return bool(self.all(operators.CLUSTER_VERSION))

    @cached_property
    def disks(self) -> Sequence[Disk]:
        """Claims of virtual machines, each once.

        Raises:
            MissingObjects: machines or claims were not read.
        """
        claims = {
            persistent_volume_claim.RESOURCE.named(it.namespace(one), it.name(one)): one
            for one in self.all(persistent_volume_claim.RESOURCE)
        }
        by_claim = {claim: machine for machine, claim in self._machines() if claim in claims}
        return [self._disk(claim, by_claim[claim], claims[claim]) for claim in by_claim]

    def _machines(self) -> Iterator[tuple[Reference, Reference]]:
        """Each machine with each claim of it; lone instances count."""
        for resource, volumes_of in (
            (virtual_machine.RESOURCE, virtual_machine.volumes),
            (virtual_machine_instance.RESOURCE, virtual_machine_instance.volumes),
        ):
            for item in self.all(resource):
                machine = resource.named(it.namespace(item), it.name(item))
                for one in volume.disks(volumes_of(item), it.namespace(item)):
                    if one.is_of(kinds.CLAIM):
                        yield machine, one

    def _disk(self, claim: Reference, machine: Reference, item: Item) -> Disk:
        of_name = self._classes.get(persistent_volume_claim.storage_class(item))
        if bytes_of := self._volumes.get(persistent_volume_claim.volume(item)):
            return Disk(claim, machine, persistent_volume.csi_driver(bytes_of), of_name)
        driver = storage_class.provisioner(of_name) if of_name else None
        return Disk(claim, machine, driver, of_name)

    @cached_property
    def _classes(self) -> Mapping[str, Item]:
        return {it.name(one): one for one in self.found(storage_class.RESOURCE)}

    @cached_property
    def _volumes(self) -> Mapping[str, Item]:
        return {it.name(one): one for one in self.found(persistent_volume.RESOURCE)}


def _locations(objects: Iterable[Item], applications: Iterable[Item]) -> Iterator[Location]:
    made = {it.name(one): Location(one, is_made=True) for one in objects}
    yield from made.values()
    for application in applications:
        for name, specification in data_protection_application.locations(application):
            if name not in made:
                metadata = {"namespace": it.namespace(application), "name": name}
                kind = own_objects.STORAGE_LOCATION.kind
                item = {"kind": kind, "metadata": metadata, "spec": specification}
                yield Location(item, is_made=False)
