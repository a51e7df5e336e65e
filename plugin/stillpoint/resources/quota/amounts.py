"""Amounts of resources by their names, as pods, quotas and limits have them: `cpu`, `memory`."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model import quantity
from stillpoint.model.item import Item

Amounts = Mapping[str, Decimal]

_MIB = 1024 * 1024
_MOST = Decimal(2**63 - 1)
_OF_BYTES = ("memory", "storage", "hugepages-")


def read(item: Item, *path: str) -> dict[str, Decimal]:
    """The amounts at a path; empty if there are none."""
    listed = it.mapping(item, *path)
    return {name: number(listed[name]) for name in listed}


def number(value: object) -> Decimal:
    """A quantity, as text or as a number; 0 for none: the API takes no other text.

    As in Kubernetes, none is larger than 64 bits can say, whatever somebody has written.
    """
    try:
        return min(quantity.parse(str(value)), _MOST)
    except ValueError:
        return Decimal(0)


def total(many: Iterable[Amounts]) -> dict[str, Decimal]:
    """The sum, name by name."""
    found: dict[str, Decimal] = {}
    for amounts in many:
        for name, amount in amounts.items():
            found[name] = found.get(name, Decimal(0)) + amount
    return found


def larger(first: Amounts, second: Amounts) -> dict[str, Decimal]:
    """The larger of two, name by name."""
    zero = Decimal(0)
    return {
        name: max(first.get(name, zero), second.get(name, zero)) for name in {**first, **second}
    }


def shown(name: str, amount: Decimal) -> str:
    """The amount for a person: bytes in whole MiB, parts of a processor as `110m`."""
    if any(one in name for one in _OF_BYTES):
        return quantity.of_bytes(int(amount) // _MIB * _MIB if amount >= _MIB else int(amount))
    if amount == int(amount):
        return str(int(amount))
    return f"{int(amount * 1000)}m"
