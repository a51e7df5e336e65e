"""The specification of a guest with the size that its instancetype gives it.

Source: pkg/instancetype/apply of KubeVirt v1.9. A preference spreads processors over sockets, cores
and threads, and leaves their number.
"""

from collections.abc import Callable
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.machines import instancetype, persistent_state, virtual_machine
from stillpoint.resources.quota import amounts

_CPU_FIELDS = ("dedicatedCPUPlacement", "isolateEmulatorThread")
_DEVICES = ("gpus", "hostDevices")


def specification(machine: Item, get: Callable[[Reference], Item | None]) -> Item:
    """The specification of a guest, completed by its preference and its instancetype.

    The revision in effect counts, else the object itself. Without either the size is not known.

    Args:
        machine: a machine, or a lone instance, with its status.
        get: gives an object of the cluster, or of the backup.
    """
    found = persistent_state.with_preference(machine, get)
    revision = virtual_machine.instancetype_revision(machine)
    if revision:
        kept = get(kinds.CONTROLLER_REVISION.named(it.namespace(machine), revision)) or {}
        if size := it.mapping(kept, "data", "spec"):
            return _with_size(found, size)
    for reference in (*instancetype.local_references(machine), *instancetype.of_cluster(machine)):
        if reference.is_of(instancetype.INSTANCETYPE) or reference.is_of(
            instancetype.CLUSTER_INSTANCETYPE
        ):
            found = _with_size(found, it.mapping(get(reference) or {}, "spec"))
    return found


def _with_size(guest: Item, size: Item) -> Item:
    cpu, memory = it.mapping(size, "cpu"), it.mapping(size, "memory")
    topology = {"sockets": cpu.get("guest"), "cores": 1, "threads": 1}
    for field in _CPU_FIELDS:
        if field in cpu:
            topology[field] = cpu[field]
    guest = it.with_value(guest, {**it.mapping(guest, "domain", "cpu"), **topology}, *_CPU)
    for field in ("guest", "hugepages"):
        if field in memory:
            guest = it.with_value(guest, memory[field], "domain", "memory", field)
    overcommitted = amounts.number(memory.get("overcommitPercent"))
    if overcommitted:
        asked = amounts.number(memory.get("guest")) * (1 - overcommitted / Decimal(100))
        guest = it.with_value(guest, str(int(asked)), *_REQUESTS, "memory")
    for field in _DEVICES:
        if field in size:
            guest = it.with_value(guest, size[field], "domain", "devices", field)
    return guest


_CPU = ("domain", "cpu")
_REQUESTS = ("domain", "resources", "requests")
