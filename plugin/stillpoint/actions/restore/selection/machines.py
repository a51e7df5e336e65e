"""The machines of a backup with all their parts, found in the archive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.archive import Archive
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources import references
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.resources.machines import (
    persistent_state,
    pod,
    virtual_machine,
    virtual_machine_instance,
    virtual_machine_pool,
)


@dataclass(frozen=True, slots=True)
class StoredMachine:
    """A virtual machine, or an instance that stands alone.

    Attributes:
        reference: of the machine.
        needs: every object of its namespace that the machine needs, itself not among them.
        own: needed objects that are called after the machine and renamed with the machine: claims
            with its data and state, their DataVolumes, its revisions.
        has_persistent_state: true if its vTPM or EFI variables are kept on a claim.
    """

    reference: Reference
    needs: tuple[Reference, ...]
    own: tuple[Reference, ...]
    has_persistent_state: bool

    @property
    def name(self) -> str:
        """Name of the machine in the backup."""
        return self.reference.name


def of_namespace(archive: Archive, namespace: str) -> Sequence[StoredMachine]:
    """Machines of a namespace, in the order of their names; read once for a restore."""
    return archive.once(("machines", namespace), lambda: tuple(_read(archive, namespace)))


def namespaces(archive: Archive) -> Sequence[str]:
    """The namespaces in which the backup may have machines."""
    resources = (virtual_machine.RESOURCE, virtual_machine_instance.RESOURCE)
    return sorted({name for resource in resources for name in archive.namespaces(resource)})


def names(archive: Archive) -> Sequence[str]:
    """`NAMESPACE/NAME` of every machine of the backup."""
    return [
        f"{namespace}/{machine.name}"
        for namespace in namespaces(archive)
        for machine in of_namespace(archive, namespace)
    ]


def needs(stored: Item, archive: Archive) -> tuple[Reference, ...]:
    """The objects of its namespace that a stored machine or instance needs, each once."""
    found = (*own_needs(stored), *state_claims(stored, archive), *_filling(stored, archive))
    return tuple(dict.fromkeys(found))


def own_needs(stored: Item) -> tuple[Reference, ...]:
    """The needed objects that the stored object itself names."""
    is_machine = stored.get("kind") == virtual_machine.RESOURCE.kind
    of = virtual_machine if is_machine else virtual_machine_instance
    named = (*of.references(stored), *virtual_machine.state_claims(stored))
    return tuple(dict.fromkeys(named))


def state_claims(stored: Item, archive: Archive) -> Iterator[Reference]:
    """Claims with the vTPM and EFI state of a stored machine: marked at backup.

    Backups of kubevirt-velero-plugin have no such mark, but KubeVirt's label.
    """
    marked = tuple(virtual_machine.state_claims(stored))
    yield from marked or _state_claims(archive, it.namespace(stored)).get(it.name(stored), ())


def _state_claims(archive: Archive, namespace: str) -> Mapping[str, Sequence[Reference]]:
    """The claims with state, by the machine that KubeVirt's label names; read once."""

    def found() -> Mapping[str, Sequence[Reference]]:
        by_machine: dict[str, list[Reference]] = {}
        for claim in archive.list(persistent_volume_claim.RESOURCE, namespace):
            for machine in persistent_volume_claim.machines_with_state(claim):
                reference = persistent_volume_claim.RESOURCE.named(*it.identify(claim))
                by_machine.setdefault(machine, []).append(reference)
        return by_machine

    return archive.once(("claims with state", namespace), found)


def has_persistent_state(stored: Item, archive: Archive) -> bool:
    """True if anything in the backup says that a stored machine keeps vTPM or EFI state."""
    has_claims = any(state_claims(stored, archive))
    return persistent_state.is_kept(stored, _specifications(stored, archive), has_claims)


def is_bound_to_uuid(stored: Item, archive: Archive) -> bool:
    """True if a stored machine has state that libvirt finds by the firmware UUID: a vTPM's.

    State of which no more is known than its claim may be that.
    """
    specifications = _specifications(stored, archive)
    return has_persistent_state(stored, archive) and not persistent_state.is_of_efi_alone(
        specifications
    )


def says_bound_to_uuid(stored: Item) -> bool:
    """As `is_bound_to_uuid`, by the object alone."""
    own = persistent_state.template(stored)
    has_claims = any(virtual_machine.state_claims(stored))
    is_kept = persistent_state.is_kept(stored, (own,), has_claims)
    return is_kept and not persistent_state.is_of_efi_alone((own,))


def instance(stored: Item, archive: Archive) -> Item | None:
    """The instance of a stored machine, as of the backup."""
    return archive.get(virtual_machine_instance.RESOURCE.named(*it.identify(stored)))


def _specifications(stored: Item, archive: Archive) -> Sequence[Item]:
    """The specifications of the guest that the backup has."""
    own = persistent_state.with_preference(stored, archive.get)
    return own, it.mapping(instance(stored, archive) or {}, "spec")


def _filling(stored: Item, archive: Archive) -> Iterator[Reference]:
    """The sources of disks that were not populated when they were backed up."""
    namespace = it.namespace(stored)

    def is_filled(name: str) -> bool:
        filler = archive.get(data_volume.RESOURCE.named(namespace, name))
        return filler is None or data_volume.is_populated(filler)

    yield from virtual_machine.pending_sources(stored, is_filled)


def mounted_claims(archive: Archive, namespace: str) -> set[str]:
    """Names of the claims that pods other than KubeVirt's mount."""
    pods = archive.list(pod.RESOURCE, namespace)
    return {name for one in pods if not pod.is_of_machine(one) for name in pod.claims(one)}


def pool_revisions(archive: Archive, namespace: str) -> set[str]:
    """Names of the revisions that the templates of pools pin."""
    pools = archive.list(virtual_machine_pool.RESOURCE, namespace)
    return {name for one in pools for name in virtual_machine_pool.template_revisions(one)}


def _read(archive: Archive, namespace: str) -> Iterator[StoredMachine]:
    stored = [*archive.list(virtual_machine.RESOURCE, namespace)]
    taken = {it.name(machine) for machine in stored}
    stored += [
        instance
        for instance in archive.list(virtual_machine_instance.RESOURCE, namespace)
        if it.name(instance) not in taken and not virtual_machine_instance.is_owned(instance)
    ]
    for machine in sorted(stored, key=it.name):
        yield _machine(machine, archive)


def _machine(stored: Item, archive: Archive) -> StoredMachine:
    specification = persistent_state.template(stored)
    is_machine = stored.get("kind") == virtual_machine.RESOURCE.kind
    resource = virtual_machine.RESOURCE if is_machine else virtual_machine_instance.RESOURCE
    needed = needs(stored, archive)
    data = set(references.own(specification))
    data |= {reference.name for reference in state_claims(stored, archive)}
    own = tuple(
        one
        for one in needed
        if one.is_of(kinds.CONTROLLER_REVISION) or (is_data(one) and one.name in data)
    )
    has_state = has_persistent_state(stored, archive)
    return StoredMachine(resource.named(*it.identify(stored)), needed, own, has_state)


def is_machine(reference: Reference) -> bool:
    """True for a machine, or an instance."""
    return reference.is_of(virtual_machine.RESOURCE) or reference.is_of(
        virtual_machine_instance.RESOURCE
    )


def is_data(reference: Reference) -> bool:
    """True for a claim, or a DataVolume that fills the claim of its name."""
    return reference.resource in ("persistentvolumeclaims", "datavolumes")
