"""The specification of a guest, which a machine's template and an instance have in common.

Source: kubevirt.io/v1, type `VirtualMachineInstanceSpec` (KubeVirt v1.9).
"""

from collections.abc import Iterator

from plugin.model import item as it
from plugin.model.item import Item

_INTERFACES = ("domain", "devices", "interfaces")


def secrets(specification: Item) -> Iterator[str]:
    """Names of the secrets with its access credentials and for its kernel's image."""
    for credential in it.sequence(specification, "accessCredentials"):
        for kind in ("sshPublicKey", "userPassword"):
            if name := it.text(credential, kind, "source", "secret", "secretName"):
                yield name
    kernel = ("domain", "firmware", "kernelBoot", "container", "imagePullSecret")
    if name := it.text(specification, *kernel):
        yield name


def without_mac_addresses(specification: Item) -> Item:
    """A copy whose interfaces get new addresses from KubeVirt."""
    interfaces = it.sequence(specification, *_INTERFACES)
    if not interfaces:
        return specification
    cleared = [it.without(interface, "macAddress") for interface in interfaces]
    return it.with_value(specification, cleared, *_INTERFACES)


def with_firmware_uuid(specification: Item, uuid: str) -> Item:
    """A copy with this firmware UUID; the serial number stays."""
    return it.with_value(specification, uuid, "domain", "firmware", "uuid")
