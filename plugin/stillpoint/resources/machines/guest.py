"""The specification of a guest, which a machine's template and an instance have in common.

Source: kubevirt.io/v1, type `VirtualMachineInstanceSpec` (KubeVirt v1.9).
"""

from collections.abc import Callable, Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item

DEFAULT_NETWORK = "v1.multus-cni.io/default-network"
"""Annotation of a template, passed to the launcher pod: the attachment in place of the pod's.
"""

_INTERFACES = ("domain", "devices", "interfaces")
_FIRMWARE = ("domain", "firmware")


def with_namespaces(specification: Item, mapped: Callable[[str], str]) -> Item:
    """A copy of the specification with its networks in the mapped namespaces.

    A network attachment without a namespace is in the machine's (v1.9, `MultusNetwork`).
    """
    networks = it.sequence(specification, "networks")
    moved = [_network_with_namespace(network, mapped) for network in networks]
    return it.with_value(specification, moved, "networks") if moved != networks else specification


def network_in_namespace(networks: str, mapped: Callable[[str], str]) -> str:
    """A text of `NAMESPACE/NAME`, or several with commas, with the mapped namespaces."""

    def moved(network: str) -> str:
        namespace, slash, name = network.rpartition("/")
        return f"{mapped(namespace.strip())}/{name}" if slash else network

    return ",".join(map(moved, networks.split(",")))


def _network_with_namespace(network: Item, mapped: Callable[[str], str]) -> Item:
    path = ("multus", "networkName")
    name = it.text(network, *path)
    moved = network_in_namespace(name, mapped)
    return network if moved == name else it.with_value(network, moved, *path)


def mac_addresses(specification: Item) -> Iterator[str]:
    """The MAC addresses that the specification fixes; KubeVirt chooses the others."""
    for interface in it.sequence(specification, *_INTERFACES):
        if address := it.text(interface, "macAddress"):
            yield address


def without_mac_addresses(
    specification: Item, is_meant: Callable[[str], bool] = lambda _address: True
) -> Item:
    """A copy of the specification without some MAC addresses, which KubeVirt will choose."""
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
    """The firmware UUID that the guest sees; empty if KubeVirt chooses."""
    return it.text(specification, *_FIRMWARE, "uuid")


def with_firmware_uuid(specification: Item, uuid: str) -> Item:
    """A copy of the specification with this firmware UUID; the serial number stays."""
    return it.with_value(specification, uuid, *_FIRMWARE, "uuid")


def serial(specification: Item) -> str:
    """The serial number that licences may be bound to; empty for most."""
    return it.text(specification, *_FIRMWARE, "serial")


def with_serial(specification: Item, serial_number: str) -> Item:
    """A copy of the specification with this serial number, if there is any."""
    if not serial(specification):
        return specification
    return it.with_value(specification, serial_number, *_FIRMWARE, "serial")


def marks(specification: Item) -> Iterator[str]:
    """The addresses, UUID and serial number of a guest, in lower case."""
    fixed = (*mac_addresses(specification), firmware_uuid(specification), serial(specification))
    yield from (mark.lower() for mark in fixed if mark)
