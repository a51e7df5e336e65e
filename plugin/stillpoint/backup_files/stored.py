"""The objects of a backup in memory: an `Archive`.

Of most objects only their names are kept, and no Secret is ever looked into. The rest is kept as
JSON, without the bookkeeping of field managers: 1,000 machines of two disks are 30 MB.

Source: "Output file format" of Velero's documentation, pkg/archive/parser.go of Velero v1.18.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from stillpoint.backup_files.places import Place, place_of
from stillpoint.backup_files.tar_stream import Member
from stillpoint.model import json_text, kinds
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources.disks import persistent_volume
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero.volumes import data_upload

Value = TypeVar("Value")

READ = (
    virtual_machine.RESOURCE,
    virtual_machine_instance.RESOURCE,
    kinds.CLAIM,
    kinds.DATA_VOLUME,
    persistent_volume.RESOURCE,
    kinds.VOLUME_SNAPSHOT,
    kinds.VOLUME_SNAPSHOT_CONTENT,
    data_upload.RESOURCE,
)
"""Resources whose objects are looked into."""

_MOST_KEPT_BYTES = 2 * 1024**3
_BYTES_OF_NAME = 256
"""About what Python takes for resource, namespace and name, besides their letters."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()
_READ = frozenset(map(str, READ))


class StoredObjects:
    """An `Archive` of the objects of a backup.

    Args:
        members: the files of the archive.

    Raises:
        ArchiveUnreadable: a file that is looked into is no object, or all are larger than any
            backup.
    """

    def __init__(self, members: Iterable[Member]) -> None:
        self._names: set[Place] = set()
        self._packed: dict[Place, bytes] = {}
        self._values: dict[Hashable, Any] = {}
        self._fill(members)
        self._by_namespace = self._grouped()

    def get(self, reference: Reference) -> Item | None:
        """See `Archive.get`; None too for an object that nobody looks into."""
        packed = self._packed.get(_place(reference))
        return None if packed is None else _unpacked(packed, str(reference))

    def holds(self, reference: Reference) -> bool:
        """See `Archive.holds`."""
        return _place(reference) in self._names

    def list(self, resource: Resource, namespace: str) -> Sequence[Item]:
        """See `Archive.list`."""
        places = self._by_namespace.get((str(resource), namespace), ())
        return [_unpacked(self._packed[place], "/".join(place)) for place in places]

    def references(self, resource: Resource, namespace: str) -> Sequence[Reference]:
        """The objects of one resource in one namespace by their names, unread."""
        places = self._by_namespace.get((str(resource), namespace), ())
        return [resource.named(namespace, name) for _, _, name in places]

    def namespaces(self, resource: Resource) -> Sequence[str]:
        """See `Archive.namespaces`."""
        wanted = str(resource)
        return sorted(place for name, place in self._by_namespace if name == wanted and place)

    @property
    def has_machines(self) -> bool:
        """True if there is a machine, or an instance."""
        machines = {str(virtual_machine.RESOURCE), str(virtual_machine_instance.RESOURCE)}
        return any(resource in machines for resource, _ in self._by_namespace)

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """See `Archive.once`."""
        if key not in self._values:
            self._values[key] = compute()
        found: Value = self._values[key]
        return found

    def _fill(self, members: Iterable[Member]) -> None:
        kept = 0
        for member in members:
            place = place_of(member.name)
            if place is None:
                continue
            self._names.add(place)
            kept += _BYTES_OF_NAME + len(member.name)
            if member.content is not None:
                self._packed[place] = _packed(member)
                kept += len(self._packed[place])
            if kept > _MOST_KEPT_BYTES:
                cause = f"its objects take more than {_MOST_KEPT_BYTES:,} bytes"
                raise ArchiveUnreadable("archive of the backup", "cannot read it", cause)

    def _grouped(self) -> Mapping[tuple[str, str], Sequence[Place]]:
        grouped: dict[tuple[str, str], list[Place]] = {}
        for place in sorted(self._packed):
            grouped.setdefault(place[:2], []).append(place)
        return grouped


def is_read(name: str) -> bool:
    """True if the file of that name in an archive is looked into."""
    place = place_of(name)
    return place is not None and place[0] in _READ


def _place(reference: Reference) -> Place:
    return reference.group_resource, reference.namespace, reference.name


def _packed(member: Member) -> bytes:
    content = member.content or b""
    try:
        fields = _FIELDS.decode(content)
        metadata = _FIELDS.decode(fields.get("metadata", msgspec.Raw(b"{}")))
        kept = {key: value for key, value in metadata.items() if key != "managedFields"}
        packed = bytes(memoryview(_ENCODER.encode({**fields, "metadata": kept})))
        packed.decode()  # what nobody has read has not been checked, either
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(member.name, str(error)) from error
    return packed


def _unpacked(packed: bytes, name: str) -> Item:
    try:
        item: Item = json_text.decode(packed)
    except ValueError as error:
        raise _unreadable(name, str(error)) from error
    return item


def _unreadable(name: str, cause: str) -> ArchiveUnreadable:
    return ArchiveUnreadable(f"{name} of the backup", "cannot read it", cause)
