"""Many small clusters in one: a copy of a machine of `examples/` in a namespace of its own each."""

import copy
from collections.abc import Callable, Iterable, Mapping

from stillpoint.model import item as it
from stillpoint.model.item import Item
from tests.unit.rehearsal import examples

Change = Callable[[list[Item]], None]
SHOP = "shop"


def namespaces(cases: Mapping[str, tuple[str, Change]]) -> list[Item]:
    """The objects of all cases, and once what belongs to the whole cluster.

    Args:
        cases: by namespace, the machine that is there and what is changed about its objects.
    """
    objects = examples.objects()
    whole = [one for one in objects if not it.namespace(one) and not _is_of_one(one)]
    copies = [one for name, case in cases.items() for one in _copy(objects, name, *case)]
    return whole + copies


def _is_of_one(item: Item) -> bool:
    return item["kind"] in ("Namespace", "PersistentVolume")


def _copy(objects: Iterable[Item], namespace: str, machine: str, change: Change) -> list[Item]:
    mine = copy.deepcopy([one for one in objects if _belongs(one, machine)])
    for item in mine:
        if item["kind"] == "Namespace":
            item["metadata"]["name"] = namespace
        elif item["kind"] == "PersistentVolume":
            item["metadata"]["name"] += f"-{namespace}"
            item["spec"]["claimRef"]["namespace"] = namespace
        else:
            item["metadata"]["namespace"] = namespace
            if item["kind"] == "PersistentVolumeClaim":
                item["spec"]["volumeName"] += f"-{namespace}"
    change(mine)
    return mine


def _belongs(item: Item, machine: str) -> bool:
    name = it.name(item)
    if item["kind"] == "PersistentVolume":
        name = it.text(item, "spec", "claimRef", "name")
    if item["kind"] == "Pod" and name.startswith("hp-volume"):
        name = "web"  # the only machine with a hot-plugged disk
    is_shared = item["kind"] == "Namespace" or name == "operators-ssh-key"
    return is_shared or machine in name.replace("virt-launcher-", "").split("-")
