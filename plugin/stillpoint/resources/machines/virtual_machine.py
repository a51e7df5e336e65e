"""VirtualMachine (kubevirt.io/v1)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID, uuid5

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources import named_in_annotations
from stillpoint.resources import references as references_of
from stillpoint.resources.disks import data_volume, persistent_volume_claim, volume
from stillpoint.resources.machines import guest, instancetype

RESOURCE = Resource("kubevirt.io", "v1", "virtualmachines", "VirtualMachine")

STATE_CLAIMS = "stillpoint.dev/state-claims"
"""Annotation of a stored machine: the claims with its vTPM, EFI and changed-block state.

KubeVirt finds these by their label; a restore that selects the machine must know their names.
"""

PROTECTION = "kubevirt.io/vm-delete-protection"
"""Label by which the policy of OpenShift Virtualization refuses to delete a machine, also with its
namespace (internal/operands/vm-delete-protection of ssp-operator v0.26)."""

HALTED = "Halted"
"""The run strategy of a machine that is not to run."""

_PCI_TOPOLOGY = ("kubevirt.io/pci-topology-version", "kubevirt.io/pci-interface-slot-count")
_LEGACY_UUIDS = UUID("6a1a24a1-4061-4607-8bf4-a3963d0c5895")
"""The namespace of UUIDs that KubeVirt derives from names."""

_REVISIONED = (("instancetype", "instancetypeRef"), ("preference", "preferenceRef"))


def template(machine: Item) -> Item:
    """The specification of the machine's instances.

    Raises:
        MalformedItem: the machine has none.
    """
    return it.require_mapping(machine, "spec", "template", "spec")


def template_annotations(machine: Item) -> Item:
    """The annotations of the machine's instances."""
    return it.mapping(machine, "spec", "template", "metadata", "annotations")


def is_protected(machine: Item) -> bool:
    """True if the machine cannot be deleted where that policy is in effect."""
    return it.labels(machine).get(PROTECTION) in ("true", "True")


def without_protection(machine: Item) -> Item:
    """The merge patch by which it can; the API server refuses it for another one of the name."""
    return {"metadata": {"uid": it.uid(machine), "labels": {PROTECTION: None}}}


def volumes(machine: Item) -> Sequence[Item]:
    """The volumes of the machine, persistently hot-plugged ones too."""
    template(machine)
    return it.sequence(machine, "spec", "template", "spec", "volumes")


def pending_sources(machine: Item, is_filled: Callable[[str], bool]) -> Iterator[Reference]:
    """The sources of the machine's disks that are not populated yet.

    Args:
        is_filled: whether a disk is populated, by its name.
    """
    for template in it.sequence(machine, "spec", "dataVolumeTemplates"):
        sources = tuple(references_of.of_source(template, it.namespace(machine)))
        if sources and not is_filled(it.text(template, "metadata", "name")):
            yield from sources


def data_volume_templates(machine: Item) -> Iterator[str]:
    """Names of the DataVolumes that KubeVirt makes for the machine if they are missing."""
    for template in it.sequence(machine, "spec", "dataVolumeTemplates"):
        yield it.text(template, "metadata", "name")


def has_instance(machine: Item) -> bool:
    """True if KubeVirt says that an instance exists."""
    return it.flag(machine, "status", "created")


def has_status(machine: Item) -> bool:
    """True if the machine has a status: a manifest from a repository has none."""
    return bool(it.mapping(machine, "status"))


def state(machine: Item) -> str:
    """KubeVirt's printable status, `Running` or `Stopped`; may be empty."""
    return it.text(machine, "status", "printableStatus")


def references(machine: Item) -> Iterator[Reference]:
    """The objects of its namespace that the machine's specification needs."""
    namespace = it.namespace(machine)
    for revision in revisions(machine):
        yield kinds.CONTROLLER_REVISION.named(namespace, revision)
    yield from instancetype.local_references(machine)
    metadata = it.mapping(machine, "spec", "template", "metadata")
    yield from references_of.of_namespace(template(machine), metadata, namespace)


def revisions(machine: Item) -> Iterator[str]:
    """Names of the revisions of instancetype and preference that are in effect."""
    for field, _status in _REVISIONED:
        if revision := _revision(machine, field):
            yield revision


def marks(machine: Item) -> Iterator[str]:
    """Addresses, UUID and serial number of the machine's running guest."""
    yield from guest.marks(it.mapping(machine, "spec", "template", "spec"))


def with_pinned_revisions(machine: Item, stored: Item | None = None) -> Item:
    """The machine with the revisions of instancetype and preference that are in effect.

    KubeVirt keeps their names in the status, and Velero restores no status.

    Args:
        stored: the machine with its status.
    """
    for field, _status in _REVISIONED:
        revision = _revision(stored or machine, field)
        if revision and it.mapping(machine, "spec", field):
            machine = it.with_value(machine, revision, "spec", field, "revisionName")
    return machine


def instancetype_revision(machine: Item) -> str:
    """Name of the revision of the machine's instancetype in effect; may be empty."""
    return _revision(machine, "instancetype")


def preference_revision(machine: Item) -> str:
    """Name of the revision of the machine's preference in effect; may be empty."""
    return _revision(machine, "preference")


def with_identity_in_effect(machine: Item, instance: Item | None) -> Item:
    """The machine with the identity of its guest, also where only the instance has it.

    KubeVirt gives a machine that is created a random UUID and its newest layout of PCI devices, if
    the specification has none (v1.9, vm-mutator.go); a guest must not find others after a restore
    than before.
    """
    specification = template(machine)
    uuid = guest.firmware_uuid(it.mapping(instance or {}, "spec"))
    if uuid and not guest.firmware_uuid(specification):
        machine = with_template(machine, guest.with_firmware_uuid(specification, uuid))
    return _with_topology(machine, it.annotations(instance or {}))


def with_legacy_uuid(machine: Item, name: str) -> Item:
    """The machine with the firmware UUID that KubeVirt derives from its name, unless set.

    Source: KubeVirt v1.9, pkg/virt-controller/watch/vm/firmware.go, CalculateLegacyUUID.
    """
    specification = template(machine)
    if guest.firmware_uuid(specification):
        return machine
    legacy = str(uuid5(_LEGACY_UUIDS, name))
    return with_template(machine, guest.with_firmware_uuid(specification, legacy))


def _with_topology(machine: Item, in_effect: Item) -> Item:
    path = ("spec", "template", "metadata", "annotations")
    if it.text(machine, *path, _PCI_TOPOLOGY[0]):
        return machine
    for annotation in _PCI_TOPOLOGY:
        if value := it.text(in_effect, annotation):
            machine = it.with_value(machine, value, *path, annotation)
    return machine


def run_strategy(machine: Item) -> str:
    """The machine's run strategy, from the older field if need be."""
    is_to_run = it.flag(machine, "spec", "running")
    return it.text(machine, "spec", "runStrategy") or ("Always" if is_to_run else HALTED)


def starts_by_itself(machine: Item) -> bool:
    """True if KubeVirt starts the machine once created."""
    return run_strategy(machine) in ("Always", "RerunOnFailure", "Once")


def is_through(machine: Item, phase: str) -> bool:
    """True if KubeVirt does not start the machine again after this phase of its instance."""
    through = {"Once": ("Succeeded", "Failed"), "RerunOnFailure": ("Succeeded",)}
    return phase in through.get(run_strategy(machine), ())


def is_running(machine: Item) -> bool:
    """True if KubeVirt says that the machine's guest runs."""
    return it.text(machine, "status", "printableStatus") == "Running"


def snapshot_support(machine: Item) -> Mapping[str, bool]:
    """Volumes of which KubeVirt says whether a snapshot would hold them, by their names."""
    statuses = it.sequence(machine, "status", "volumeSnapshotStatuses")
    return {it.text(one, "name"): it.flag(one, "enabled") for one in statuses}


def snapshot_in_progress(machine: Item) -> str:
    """Name of the KubeVirt snapshot that is being taken of the machine; may be empty."""
    return it.text(machine, "status", "snapshotInProgress")


def restore_in_progress(machine: Item) -> str:
    """Name of the KubeVirt restore that is overwriting the machine; may be empty."""
    return it.text(machine, "status", "restoreInProgress")


def trouble(machine: Item) -> str:
    """KubeVirt's reason why the machine's guest does not run; may be empty."""
    messages = (
        it.text(entry, "message")
        for entry in it.sequence(machine, "status", "conditions")
        if it.text(entry, "status") != "True"
    )
    return "; ".join(filter(None, (it.text(machine, "status", "printableStatus"), *messages)))


def with_run_strategy(machine: Item, strategy: str) -> Item:
    """The machine with this run strategy, and without the older field."""
    return it.without(it.with_value(machine, strategy, "spec", "runStrategy"), "spec", "running")


def with_template(machine: Item, specification: Item) -> Item:
    """The machine with this specification of its instances."""
    return it.with_value(machine, specification, "spec", "template", "spec")


def without_memory_dumps(machine: Item) -> Item:
    """The machine without volumes with dumps of its memory, which would keep it from starting."""
    kept = [entry for entry in volumes(machine) if not volume.is_memory_dump(entry)]
    if len(kept) == len(volumes(machine)):
        return machine
    return it.with_value(machine, kept, "spec", "template", "spec", "volumes")


def renamed(machine: Item, name: str, names: Mapping[str, str]) -> Item:
    """The machine under another name, with all parts that are called after the machine.

    Labels with the old name as their value change, too: whatever selects the original machine by
    such a label, a Service for instance, must not find the copy.

    Args:
        names: of the machine's claims, DataVolumes and revisions, old to new.
    """
    old = it.name(machine)
    for path in (("metadata", "labels"), ("spec", "template", "metadata", "labels")):
        for label, value in it.mapping(machine, *path).items():
            if value == old:
                machine = it.with_value(machine, name, *path, label)
    for field, _status in _REVISIONED:
        revision = it.text(machine, "spec", field, "revisionName")
        if revision in names:
            machine = it.with_value(machine, names[revision], "spec", field, "revisionName")
    machine = _with_templates(
        machine, lambda one: data_volume.renamed(one, names.get(it.name(one), it.name(one)))
    )
    machine = with_template(machine, references_of.renamed(template(machine), names))
    named = {**names, old: name}
    machine = named_in_annotations.renamed(machine, named)
    machine = named_in_annotations.renamed(
        machine, named, "spec", "template", "metadata", "annotations"
    )
    return it.with_value(machine, name, "metadata", "name")


def with_namespaces(machine: Item, mapped: Callable[[str], str]) -> Item:
    """The machine with its references to other namespaces in the mapped ones."""
    machine = _with_templates(machine, lambda one: data_volume.with_namespaces(one, mapped))
    machine = named_in_annotations.with_namespaces(machine, mapped)
    annotations = it.mapping(machine, "spec", "template", "metadata", "annotations")
    if network := it.text(annotations, guest.DEFAULT_NETWORK):
        path = ("spec", "template", "metadata", "annotations", guest.DEFAULT_NETWORK)
        machine = it.with_value(machine, guest.network_in_namespace(network, mapped), *path)
    return with_template(machine, guest.with_namespaces(template(machine), mapped))


def names_storage_classes(machine: Item) -> bool:
    """True if anything in the machine may name a storage class."""
    templates = it.sequence(machine, "spec", "dataVolumeTemplates")
    return bool(templates) or named_in_annotations.has_claim_templates(machine)


def with_storage_classes(machine: Item, mapping: Mapping[str, str]) -> Item:
    """The machine with the templates of its DataVolumes in the mapped storage classes."""
    machine = named_in_annotations.with_storage_classes(machine, mapping)
    return _with_templates(machine, lambda one: data_volume.with_storage_class(one, mapping))


def _with_templates(machine: Item, changed: Callable[[Item], Item]) -> Item:
    templates = it.sequence(machine, "spec", "dataVolumeTemplates")
    if not templates:
        return machine
    return it.with_value(
        machine, [changed(one) for one in templates], "spec", "dataVolumeTemplates"
    )


def with_state_claims(machine: Item, names: Sequence[str]) -> Item:
    """The machine, or instance, with a mark of these claims; without a mark if there are none."""
    if not names:
        return it.without(machine, "metadata", "annotations", STATE_CLAIMS)
    return it.with_annotation(machine, STATE_CLAIMS, ",".join(names))


def state_claims(stored: Item) -> Iterator[Reference]:
    """The claims in the mark of a stored machine, or instance."""
    noted = it.text(stored, "metadata", "annotations", STATE_CLAIMS)
    for name in filter(None, noted.split(",")):
        yield persistent_volume_claim.RESOURCE.named(it.namespace(stored), name)


def _revision(machine: Item, field: str) -> str:
    """Name of the ControllerRevision of `instancetype` or `preference` that is in effect."""
    if not it.mapping(machine, "spec", field):
        return ""
    status = dict(_REVISIONED)[field]
    in_effect = it.text(machine, "status", status, "controllerRevisionRef", "name")
    return in_effect or it.text(machine, "spec", field, "revisionName")
