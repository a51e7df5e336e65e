"""The specification of a guest, which a machine's template and an instance have in common.

Source: kubevirt.io/v1, type `VirtualMachineInstanceSpec` (KubeVirt v1.9).
"""

from collections.abc import Callable, Iterator

from plugin.model import item as it
from plugin.model.item import Item

_INTERFACES = ("domain", "devices", "interfaces")
_FIRMWARE = ("domain", "firmware")


def secrets(specification: Item) -> Iterator[str]:
    """Names of the secrets with its access credentials and for its kernel's image."""
    for credential in it.sequence(specification, "accessCredentials"):
        for kind in ("sshPublicKey", "userPassword"):
            if name := it.text(credential, kind, "source", "secret", "secretName"):
                yield name
    kernel = ("domain", "firmware", "kernelBoot", "container", "imagePullSecret")
    if name := it.text(specification, *kernel):
        yield name


def has_persistent_state(specification: Item) -> bool:
    """Whether its vTPM or its EFI variables are kept in a claim of their own."""
    domain = it.mapping(specification, "domain")
    return it.flag(domain, "devices", "tpm", "persistent") or it.flag(
        domain, "firmware", "bootloader", "efi", "persistent"
    )


def mac_addresses(specification: Item) -> Iterator[str]:
    """The addresses that the specification fixes; KubeVirt gives the other interfaces theirs."""
    for interface in it.sequence(specification, *_INTERFACES):
        if address := it.text(interface, "macAddress"):
            yield address


def without_mac_addresses(
    specification: Item, is_meant: Callable[[str], bool] = lambda _address: True
) -> Item:
    """A copy whose interfaces get new addresses from KubeVirt, in place of those meant."""
    if not any(is_meant(address) for address in mac_addresses(specification)):
        return specification
    cleared = [
        it.without(interface, "macAddress")
        if is_meant(it.text(interface, "macAddress"))
        else interface
        for interface in it.sequence(specification, *_INTERFACES)
    ]
    return it.with_value(specification, cleared, *_INTERFACES)


def firmware_uuid(specification: Item) -> str:
    """The UUID by which the guest knows its machine; empty where KubeVirt gives one."""
    return it.text(specification, *_FIRMWARE, "uuid")


def with_firmware_uuid(specification: Item, uuid: str) -> Item:
    """A copy with this firmware UUID; the serial number stays."""
    return it.with_value(specification, uuid, *_FIRMWARE, "uuid")


def serial(specification: Item) -> str:
    """The serial number of the machine, by which licences know it; empty for most."""
    return it.text(specification, *_FIRMWARE, "serial")


def with_serial(specification: Item, serial_number: str) -> Item:
    """A copy with this serial number, where there was one."""
    if not serial(specification):
        return specification
    return it.with_value(specification, serial_number, *_FIRMWARE, "serial")


def marks(specification: Item) -> Iterator[str]:
    """All by which one guest is told from another, in lower case."""
    fixed = (*mac_addresses(specification), firmware_uuid(specification), serial(specification))
    yield from (mark.lower() for mark in fixed if mark)
