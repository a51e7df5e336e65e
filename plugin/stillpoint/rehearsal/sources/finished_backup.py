"""A finished backup, read from the archive that `velero backup download` brings.

An archive is a .tar.gz, or the folder into which it was extracted. Nothing of it is written, and no
name in it is followed: members are read by what their path says of resource, namespace and name.

Source: "Output file format" of Velero's documentation, pkg/archive/parser.go of Velero v1.18.
"""

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.api_resources import KNOWN, Served
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import UnreadableArchive

BACKUP_FILE = "velero-backup.json"
"""The Backup, beside its archive in an object store."""

_ENDINGS = ("-data.tar.gz", ".tar.gz", ".tgz")  # the first one is of `velero backup download`
_MOST_BYTES = 64 * 1024 * 1024  # of a member: no object of the API has more
_CLUSTER, _NAMESPACES = "cluster", "namespaces"


@dataclass(frozen=True, slots=True)
class FinishedBackup:
    """A finished backup.

    Attributes:
        stored: the items as stored.
        resources: the resource of each kind in the archive, and those that are known.
        backup: the Backup object, if it lies beside the archive; else None.
    """

    name: str
    stored: Mapping[Reference, Item]
    resources: tuple[Served, ...]
    backup: Item | None


def read(place: Path) -> FinishedBackup:
    """Reads an archive, and the Backup beside it.

    Raises:
        UnreadableArchive: the file or folder is no backup of Velero, or is torn.
    """
    stored: dict[Reference, Item] = {}
    resources = {(one.group, one.kind): one for one in KNOWN}
    for path, content in _contents(place):
        reference = _reference(path)
        if reference is None:
            continue
        item = _object(place, path, content)
        group, kind = it.group_kind(item)
        version = str(item["apiVersion"]).rpartition("/")[2]
        served = Served(group, version, reference.resource, kind, bool(reference.namespace))
        resources.setdefault((group, kind), served)
        stored[reference] = item
    if not stored:
        cause = "nothing in it lies where Velero puts the items of a backup (resources/...)"
        raise UnreadableArchive(str(place), cause, "velero backup download NAME")
    return FinishedBackup(_name(place), stored, tuple(resources.values()), _backup(place))


def _contents(place: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Every JSON of the archive, by its path there."""
    try:
        if place.is_dir():
            for file in sorted((place / "resources").rglob("*.json")):
                yield PurePosixPath(file.relative_to(place).as_posix()), file.read_bytes()
            return
        with tarfile.open(place, "r:gz") as tarball:
            for member in tarball:
                if member.isfile() and member.name.endswith(".json"):
                    yield PurePosixPath(member.name), _bytes(tarball, member, place)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UnreadableArchive(str(place), str(error), "velero backup download NAME") from error


def _bytes(tarball: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> bytes:
    stream = tarball.extractfile(member)
    if stream is None or member.size > _MOST_BYTES:
        raise UnreadableArchive(str(place), f"{member.name} is larger than any object of the API")
    return stream.read()


def _reference(path: PurePosixPath) -> Reference | None:
    """The object at `resources/RESOURCE/cluster/NAME.json` or `.../namespaces/NAMESPACE/...`.

    None for what is elsewhere, as the second copy in a folder of the version.
    """
    match path.parts:
        case ("resources", resource, place, file) if place == _CLUSTER:
            namespace = ""
        case ("resources", resource, place, namespace, file) if place == _NAMESPACES:
            pass
        case _:
            return None
    plural, _dot, group = resource.partition(".")
    return Reference(group, plural, namespace, file.removesuffix(".json"))


def _object(place: Path, path: PurePosixPath, content: bytes) -> Item:
    try:
        item = json_text.decode(content)
    except ValueError as error:
        raise UnreadableArchive(f"{place}: {path}", f"it is no JSON: {error}") from error
    is_object = isinstance(item, dict) and isinstance(item.get("metadata"), dict)
    if not is_object or not all(isinstance(item.get(key), str) for key in ("apiVersion", "kind")):
        raise UnreadableArchive(f"{place}: {path}", "it is no object of the Kubernetes API")
    found: Item = item
    return found


def _name(place: Path) -> str:
    name = place.resolve().name
    return next((name.removesuffix(one) for one in _ENDINGS if name.endswith(one)), name)


def _backup(place: Path) -> Item | None:
    file = (place if place.is_dir() else place.parent) / BACKUP_FILE
    if not file.is_file():
        return None
    return _object(file, PurePosixPath(BACKUP_FILE), file.read_bytes())
