"""Every reference of a machine to another object, a row each: its place, and its treatment.

    where      the path in VirtualMachineInstanceSpec (`GUEST`), the annotation of the instance's
               metadata and the path in its JSON (`ANNOTATIONS`), the path in a DataVolume or its
               template (`SOURCES`); `[]` is every entry of a list
    brought    into a backup, kept by a restore of some machines only, reported where missing
    renamed    brought, and called after the machine: data of this guest and of no other
    filling    brought while the disk is not filled, and never after
    reported   must be in the cluster: marked at backup, reported where missing; a namespace in
               front of the name follows the restore's mapping

References that need more than a path are with their kind: revisions, instancetypes and preferences
(`virtual_machine`, `instancetype`), vTPM and EFI state (`surroundings`), storage classes
(`data_volume`, `cluster_needs`). docs/references.md has all rows.

Source: KubeVirt v1.9, staging/src/kubevirt.io/api/core/v1/schema.go and pkg/hooks; CDI v1.66,
staging/src/kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1/types.go.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import orjson

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource


class Done(StrEnum):
    """The treatment of a reference."""

    BROUGHT = "brought"
    RENAMED = "renamed"
    FILLING = "filling"
    REPORTED = "reported"


class Row(NamedTuple):
    """A reference."""

    resource: Resource
    where: str
    done: Done = Done.BROUGHT


GUEST = (
    Row(kinds.DATA_VOLUME, "volumes[].dataVolume.name", Done.RENAMED),
    Row(kinds.CLAIM, "volumes[].dataVolume.name", Done.RENAMED),
    Row(kinds.CLAIM, "volumes[].persistentVolumeClaim.claimName", Done.RENAMED),
    Row(kinds.CLAIM, "volumes[].memoryDump.claimName", Done.RENAMED),
    Row(kinds.CLAIM, "volumes[].ephemeral.persistentVolumeClaim.claimName"),
    Row(kinds.CONFIG_MAP, "volumes[].configMap.name"),
    Row(kinds.CONFIG_MAP, "volumes[].sysprep.configMap.name"),
    Row(kinds.SECRET, "volumes[].secret.secretName"),
    Row(kinds.SECRET, "volumes[].cloudInitNoCloud.secretRef.name"),
    Row(kinds.SECRET, "volumes[].cloudInitNoCloud.networkDataSecretRef.name"),
    Row(kinds.SECRET, "volumes[].cloudInitConfigDrive.secretRef.name"),
    Row(kinds.SECRET, "volumes[].cloudInitConfigDrive.networkDataSecretRef.name"),
    Row(kinds.SECRET, "volumes[].sysprep.secret.name"),
    Row(kinds.SECRET, "volumes[].containerDisk.imagePullSecret"),
    Row(kinds.SERVICE_ACCOUNT, "volumes[].serviceAccount.serviceAccountName"),
    Row(kinds.CLAIM, "utilityVolumes[].claimName", Done.RENAMED),
    Row(kinds.SECRET, "accessCredentials[].sshPublicKey.source.secret.secretName"),
    Row(kinds.SECRET, "accessCredentials[].userPassword.source.secret.secretName"),
    Row(kinds.RESOURCE_CLAIM, "resourceClaims[].resourceClaimName"),
    Row(kinds.RESOURCE_CLAIM_TEMPLATE, "resourceClaims[].resourceClaimTemplateName"),
    Row(kinds.SECRET, "domain.firmware.kernelBoot.container.imagePullSecret"),
    Row(kinds.SERVICE_ACCOUNT, "serviceAccountName"),
    Row(kinds.NETWORK_ATTACHMENT, "networks[].multus.networkName", Done.REPORTED),
    Row(kinds.PRIORITY_CLASS, "priorityClassName", Done.REPORTED),
)

ANNOTATIONS = (
    Row(kinds.CONFIG_MAP, "hooks.kubevirt.io/hookSidecars: [].configMap.name"),
    Row(kinds.CLAIM, "hooks.kubevirt.io/hookSidecars: [].pvc.name"),
    Row(kinds.NETWORK_ATTACHMENT, "v1.multus-cni.io/default-network", Done.REPORTED),
)

SOURCES = (
    Row(kinds.SECRET, "spec.source.http.secretRef", Done.FILLING),
    Row(kinds.SECRET, "spec.source.http.secretExtraHeaders[]", Done.FILLING),
    Row(kinds.CONFIG_MAP, "spec.source.http.certConfigMap", Done.FILLING),
    Row(kinds.SECRET, "spec.source.s3.secretRef", Done.FILLING),
    Row(kinds.CONFIG_MAP, "spec.source.s3.certConfigMap", Done.FILLING),
    Row(kinds.SECRET, "spec.source.gcs.secretRef", Done.FILLING),
    Row(kinds.SECRET, "spec.source.registry.secretRef", Done.FILLING),
    Row(kinds.CONFIG_MAP, "spec.source.registry.certConfigMap", Done.FILLING),
    Row(kinds.SECRET, "spec.source.imageio.secretRef", Done.FILLING),
    Row(kinds.CONFIG_MAP, "spec.source.imageio.certConfigMap", Done.FILLING),
    Row(kinds.SECRET, "spec.source.vddk.secretRef", Done.FILLING),
    Row(kinds.SERVICE_ACCOUNT, "spec.serviceAccountName", Done.FILLING),
)

_EACH = "[]"
_Path = tuple[str, ...]


def of_namespace(specification: Item, metadata: Item, namespace: str) -> Iterator[Reference]:
    """The objects of its namespace that a guest needs.

    Args:
        metadata: of the template or the instance.
    """
    for row, name in _rows(_NAMED, specification, metadata):
        yield row.resource.named(namespace, name)


def own(specification: Item) -> Iterator[str]:
    """Names of the claims and DataVolumes with data of this guest alone."""
    for _row, name in _of_guest(_OWN, specification):
        yield name


def renamed(specification: Item, names: Mapping[str, str]) -> Item:
    """The specification on its own claims and DataVolumes under new names.

    Args:
        names: old to new.
    """
    for path in _RENAMED:
        specification = _replace(specification, path, names)
    return specification


def of_cluster(specification: Item, metadata: Item, namespace: str) -> Iterator[Reference]:
    """The objects that a guest needs and no backup of its namespace brings."""
    for row, name in _rows(_REPORTED, specification, metadata):
        if row.resource == kinds.PRIORITY_CLASS:
            yield row.resource.named("", name)
            continue
        for one in name.split(","):
            place, _slash, plain = one.strip().rpartition("/")
            if plain:
                yield row.resource.named(place or namespace, plain)


def of_source(data_volume: Item, namespace: str) -> Iterator[Reference]:
    """Objects of its namespace from which a DataVolume, or a template, is populated."""
    spec = it.mapping(data_volume, "spec")
    for kind in it.mapping(spec, "source"):
        for row, path in _SOURCES.get(kind, ()):
            for name in _names(data_volume, path):
                yield row.resource.named(namespace, name)
    if name := it.text(spec, "serviceAccountName"):
        yield kinds.SERVICE_ACCOUNT.named(namespace, name)


class _Table(NamedTuple):
    """Rows by the key that must be there for them to apply: an entry of a list has few keys.

    Attributes:
        lists: by the list and the first key of its entries.
        annotations: by the annotation.
    """

    lists: Mapping[str, Mapping[str, Sequence[tuple[Row, _Path]]]]
    plain: Sequence[tuple[Row, _Path]]
    annotations: Mapping[str, Sequence[tuple[Row, _Path]]]

    @classmethod
    def of(cls, *wanted: Done) -> "_Table":
        lists: dict[str, dict[str, list[tuple[Row, _Path]]]] = {}
        plain: list[tuple[Row, _Path]] = []
        annotations: dict[str, list[tuple[Row, _Path]]] = {}
        for row in GUEST:
            field, *path = _parts(row.where)
            if row.done not in wanted:
                continue
            if _EACH in row.where:
                lists.setdefault(field, {}).setdefault(path[1], []).append((row, tuple(path[1:])))
            else:
                plain.append((row, (field, *path)))
        for row in ANNOTATIONS:
            key, _colon, where = row.where.partition(": ")
            if row.done in wanted:
                annotations.setdefault(key, []).append((row, _parts(where)[1:] if where else ()))
        return cls(lists, plain, annotations)


def _rows(table: _Table, specification: Item, metadata: Item) -> Iterator[tuple[Row, str]]:
    yield from _of_guest(table, specification)
    annotations = it.mapping(metadata, "annotations")
    for key in annotations:
        if key in table.annotations:
            value = it.text(annotations, key)
            for row, path in table.annotations[key]:
                yield from ((row, name) for name in _in_text(value, path))


def _of_guest(table: _Table, specification: Item) -> Iterator[tuple[Row, str]]:
    for field, by_key in table.lists.items():
        if field not in specification:
            continue
        for entry in it.sequence(specification, field):
            for key in entry:
                for row, path in by_key.get(key, ()):
                    if name := it.text(entry, *path):
                        yield row, name
    for row, path in table.plain:
        if path[0] in specification and (name := it.text(specification, *path)):
            yield row, name


def _in_text(value: str, path: _Path) -> Iterator[str]:
    """Names in an annotation: its text, or in its JSON, which KubeVirt refuses if invalid."""
    if not path:
        yield value
        return
    try:
        parsed = orjson.loads(value)
    except ValueError:
        return
    for entry in parsed if isinstance(parsed, list) else ():
        found = entry
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, str) and found:
            yield found


def _names(item: Item, path: _Path) -> Iterable[str]:
    *way, last = path
    if last == _EACH:
        return it.texts(item, *way)
    name = it.text(item, *path)
    return (name,) if name else ()


def _replace(specification: Item, path: _Path, names: Mapping[str, str]) -> Item:
    field, _each, *rest = path
    entries = it.sequence(specification, field)
    changed = [
        it.with_value(entry, names[name], *rest)
        if rest[0] in entry and (name := it.text(entry, *rest)) in names
        else entry
        for entry in entries
    ]
    return it.with_value(specification, changed, field) if changed != entries else specification


def _parts(where: str) -> _Path:
    return tuple(where.replace(_EACH, f".{_EACH}").strip(".").split("."))


def _of_sources() -> Mapping[str, Sequence[tuple[Row, _Path]]]:
    """Rows by the kind of source; a DataVolume has a single source."""
    found: dict[str, list[tuple[Row, _Path]]] = {}
    for row in SOURCES:
        path = _parts(row.where)
        if path[1] == "source":
            found.setdefault(path[2], []).append((row, path))
    return found


_NAMED = _Table.of(Done.BROUGHT, Done.RENAMED)
_OWN = _Table.of(Done.RENAMED)
_REPORTED = _Table.of(Done.REPORTED)
_SOURCES = _of_sources()
_RENAMED = {_parts(row.where): None for row in GUEST if row.done is Done.RENAMED}
