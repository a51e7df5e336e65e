"""Names of objects in annotations, by which platforms above KubeVirt make and delete them.

Harvester, for instance, has a machine's claims as a JSON list in `volumeClaimTemplates`, and in
`removedPersistentVolumeClaims` the claims to delete with the machine; on a claim the machine is in
`owned-by`. On a copy all of them would mean the original. So names are recognized by their values
and not by the annotation: as a whole value, as an entry of a list with commas, and as a string in
JSON, each with a namespace in front or without.

Source: harvester v1.6, pkg/util/constants.go, pkg/ref and pkg/controller/master/virtualmachine.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import is_name

_DELETED_WITH = "harvesterhci.io/removedPersistentVolumeClaims"
_CLAIM_TEMPLATES = "harvesterhci.io/volumeClaimTemplates"
_OWNED_BY = "harvesterhci.io/owned-by"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_METADATA = ("metadata", "annotations")
_DEEPEST = 50


def renamed(item: Item, names: Mapping[str, str], *path: str) -> Item:
    """An object with new names in its annotations.

    Only a machine's own claims stay in the list of claims to delete. The annotation of
    `kubectl apply` is about the original as a whole, and goes.

    Args:
        names: of machines, claims and other parts, old to new.
        path: of the annotations, if they are not the object's own.
    """
    way = path or _METADATA
    for key, value in it.mapping(item, *way).items():
        if not isinstance(value, str) or key.startswith("stillpoint.dev/"):
            continue
        if key == _LAST_APPLIED:
            item = it.without(item, *way, key)
            continue
        new = _only_own(value, names) if key == _DELETED_WITH else _rewrite(value, names.get)
        if not new:
            item = it.without(item, *way, key)
        elif new != value:
            item = it.with_value(item, new, *way, key)
    return item


def with_namespaces(item: Item, mapped: Callable[[str], str]) -> Item:
    """A claim or machine whose owner in Harvester's annotation is in the mapped namespace."""
    value = it.annotations(item).get(_OWNED_BY)
    if not isinstance(value, str):
        return item

    def map_name(text: str) -> str | None:
        namespace, slash, name = text.partition("/")
        return f"{mapped(namespace)}/{name}" if slash else None

    new = _rewrite(value, map_name)
    return it.with_annotation(item, _OWNED_BY, new) if new != value else item


def has_claim_templates(machine: Item) -> bool:
    """True if the machine has Harvester's annotation with templates of claims."""
    return _CLAIM_TEMPLATES in it.annotations(machine)


def with_storage_classes(machine: Item, mapping: Mapping[str, str]) -> Item:
    """A machine whose templates of claims in Harvester's annotation are in the mapped classes."""
    value = it.annotations(machine).get(_CLAIM_TEMPLATES)
    templates = _parse(value) if isinstance(value, str) else None
    if not isinstance(templates, list):
        return machine
    changed = [_in_class(one, mapping) for one in templates]
    if changed == templates:
        return machine
    return it.with_annotation(machine, _CLAIM_TEMPLATES, orjson.dumps(changed).decode())


def _in_class(template: Any, mapping: Mapping[str, str]) -> Any:
    spec = template.get("spec") if isinstance(template, dict) else None
    if not isinstance(spec, dict):
        return template
    name = spec.get("storageClassName")
    if not isinstance(name, str) or name not in mapping:
        return template
    return {**template, "spec": {**spec, "storageClassName": mapping[name]}}


def _only_own(value: str, names: Mapping[str, str]) -> str:
    return ",".join(new for one in value.split(",") if (new := names.get(one.strip())))


def _rewrite(value: str, new: Callable[[str], str | None]) -> str:
    parsed = _parse(value)
    if isinstance(parsed, list | dict):
        changed = _within(parsed, new, _DEEPEST)
        return value if changed == parsed else orjson.dumps(changed).decode()
    return ",".join(_name(one, new) for one in value.split(","))


def _within(value: Any, new: Callable[[str], str | None], deepest: int) -> Any:
    if isinstance(value, str):
        return _name(value, new)
    if isinstance(value, list) and deepest:
        return [_within(one, new, deepest - 1) for one in value]
    if isinstance(value, dict) and deepest:
        return {key: _within(one, new, deepest - 1) for key, one in value.items()}
    return value


def _name(text: str, new: Callable[[str], str | None]) -> str:
    """The text with the new name for an old name, its spaces and namespace kept."""
    plain = text.strip()
    if found := new(plain):
        return text.replace(plain, found)
    namespace, _slash, name = plain.rpartition("/")
    if is_name(namespace) and (found := new(name)):
        return text.replace(plain, f"{namespace}/{found}")
    return text


def _parse(value: str) -> Any:
    if not value.lstrip().startswith(("[", "{")):
        return None
    try:
        return orjson.loads(value)
    except ValueError:
        return None
