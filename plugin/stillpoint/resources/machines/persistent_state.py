"""vTPM and EFI variables of a guest that outlive its instance, on a claim of the machine's.

A template may not say so: a preference does, or the instance, or the claim itself. So each of them
is read. Source: KubeVirt v1.9, pkg/storage/backend-storage (IsBackendStorageNeeded), pkg/tpm,
pkg/instancetype/preference/apply (device.go, firmware.go).
"""

from collections.abc import Callable, Iterable

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.machines import instancetype, virtual_machine

_TPM = ("domain", "devices", "tpm")
_BOOTLOADER = ("domain", "firmware", "bootloader")


def is_kept(machine: Item, specifications: Iterable[Item], has_claims: bool) -> bool:
    """True if the guest's vTPM or EFI variables are kept.

    Args:
        machine: a machine, or a lone instance, with its status.
        specifications: all of the guest, from `with_preference`.
        has_claims: whether KubeVirt keeps a claim of state for the machine.
    """
    said = any(has_tpm(each) or _has_efi(each) for each in specifications)
    return said or (has_claims and not _tracks_changed_blocks(machine))


def has_tpm(specification: Item) -> bool:
    """True if the guest has a persistent vTPM."""
    tpm = it.mapping(specification, *_TPM)
    return it.flag(tpm, "persistent") and tpm.get("enabled") is not False


def is_of_efi_alone(specifications: Iterable[Item]) -> bool:
    """True if specifications have EFI variables and no vTPM: these go by the machine's name."""
    known = tuple(specifications)
    return any(map(_has_efi, known)) and not any(map(has_tpm, known))


def with_preference(machine: Item, get: Callable[[Reference], Item | None]) -> Item:
    """The specification of a guest, completed by its preference.

    The revision in effect counts, else the preference itself. Empty without a specification.

    Args:
        machine: a machine, or a lone instance.
        get: gives an object of the cluster, or of the backup.
    """
    specification = template(machine)
    if revision := virtual_machine.preference_revision(machine):
        kept = get(kinds.CONTROLLER_REVISION.named(it.namespace(machine), revision))
        specification = _of_preference(it.mapping(kept or {}, "data"), specification)
    for reference in (*instancetype.local_references(machine), *instancetype.of_cluster(machine)):
        specification = _of_preference(get(reference) or {}, specification)
    return specification


def template(machine: Item) -> Item:
    """The specification of the guest of a machine, or of a lone instance; may be empty."""
    is_machine = machine.get("kind") == virtual_machine.RESOURCE.kind
    return it.mapping(machine, *(("spec", "template", "spec") if is_machine else ("spec",)))


def _of_preference(preference: Item, specification: Item) -> Item:
    tpm = it.mapping(preference, "spec", "devices", "preferredTPM")
    if tpm and "tpm" not in it.mapping(specification, "domain", "devices"):
        specification = it.with_value(specification, tpm, *_TPM)
    efi = it.mapping(preference, "spec", "firmware", "preferredEfi")
    if efi and not {"efi", "bios"} & set(it.mapping(specification, *_BOOTLOADER)):
        specification = it.with_value(specification, efi, *_BOOTLOADER, "efi")
    return specification


def _has_efi(specification: Item) -> bool:
    return it.flag(specification, *_BOOTLOADER, "efi", "persistent")


def _tracks_changed_blocks(machine: Item) -> bool:
    """True if the claim may be there for a map of changed blocks alone, which fits any name."""
    state = it.text(machine, "status", "changedBlockTracking", "state")
    return bool(state) and state != "Disabled"
