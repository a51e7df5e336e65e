"""Objects from a folder of YAML or JSON files."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import yaml

from stillpoint.model import item as it
from stillpoint.model.api_resources import KNOWN
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.names import counted
from stillpoint.rehearsal.errors import UnreadableManifests
from stillpoint.rehearsal.sources.yaml_documents import Document, documents

_SUFFIXES = (".yaml", ".yml", ".json")
_PACKED = ".gz"
_MOST_UNPACKED = 256 * 1024 * 1024  # bytes; a small file can say that it is any size
_OF_TOOLS = ("kustomization.yaml", "kustomization.yml")  # not objects of the API
_KUSTOMIZE = "kustomize.config.k8s.io"  # the group of the same under other names
_LOCAL = "config.kubernetes.io/local-config"  # annotation of what is read by programs alone
_OF_API = {(one.group, one.kind) for one in KNOWN}


Progress = Callable[[int, int, str], None]
Spoilt = Callable[[Path, UnreadableManifests], None]


@dataclass(frozen=True, slots=True)
class Manifests:
    """The objects of manifests.

    Attributes:
        objects: in the order of their files and of the lines there; each has apiVersion, kind and
            a name.
        files: number of their files.
        passed_over: places of other content, for instance `chart/values.yaml:1`.
    """

    objects: tuple[Item, ...]
    files: int
    passed_over: tuple[str, ...] = ()


def read(
    folder: Path, progress: Progress = lambda *_: None, spoilt: Spoilt | None = None
) -> Manifests:
    """Every object of the folder and its subfolders; hidden files are left out.

    Other documents, as a Kustomization or the values of a chart, are passed over. A document that
    could be an object and cannot be read is an error: half a result would be a wrong one. Of copies
    of one object, as `oc adm must-gather` leaves them, the newest counts.

    Args:
        folder: or a file.
        progress: called after each file: files read, files in all, name of the file.
        spoilt: called for each file that is empty or cannot be read, of which nothing is taken;
            without it such a file is an error.

    Raises:
        UnreadableManifests: there are no objects, or an object cannot be read.
    """
    files = _files(folder)
    found: dict[tuple[str, ...], tuple[str, Item]] = {}
    passed_over: list[str] = []
    for number, file in enumerate(files, 1):
        progress(number - 1, len(files), file.name)
        for place, item in _all_objects(file, passed_over.append, spoilt):
            first, other = found.setdefault(_identity(item), (place, item))
            if first != place and _is_copy(item, other):
                found[_identity(item)] = (first, max(other, item, key=_version))
            elif first != place:
                cause = f"{it.describe(item)} is in {first}, too"
                raise UnreadableManifests(place, cause, "take one cluster at a time")
    if not found:
        cause = f"no objects in {counted(len(files), 'file')} (*.yaml, *.yml, *.json)"
        raise UnreadableManifests(str(folder), cause)
    objects = tuple(item for _, item in found.values())
    return Manifests(objects, len(files), tuple(passed_over))


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UnreadableManifests(str(folder), "there is no such folder")
    return sorted(
        path
        for path in folder.rglob("*")
        if _inner(path).suffix in _SUFFIXES
        and path.name not in _OF_TOOLS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _inner(file: Path) -> Path:
    """The name of what is in a packed file; any other as it is."""
    return file.with_suffix("") if file.suffix == _PACKED else file


def _all_objects(
    file: Path, passed_over: Callable[[str], None], spoilt: Spoilt | None
) -> Iterator[tuple[str, Item]]:
    if spoilt is None:
        return _objects(file, passed_over)
    try:
        found = list(_objects(file, passed_over))
    except UnreadableManifests as error:
        spoilt(file, error)
        return iter(())
    if not found and not file.stat().st_size:
        spoilt(file, UnreadableManifests(str(file), "it is empty"))
    return iter(found)


def _text(file: Path) -> str:
    if file.suffix != _PACKED:
        return file.read_text("utf-8-sig")
    with gzip.open(file) as packed:
        text = packed.read(_MOST_UNPACKED + 1)
    if len(text) > _MOST_UNPACKED:
        raise UnreadableManifests(str(file), f"it unpacks to more than {_MOST_UNPACKED} bytes")
    return text.decode("utf-8-sig")


def _objects(file: Path, passed_over: Callable[[str], None]) -> Iterator[tuple[str, Item]]:
    try:
        text = _text(file)
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise UnreadableManifests(str(file), str(error)) from error
    if _inner(file).suffix == ".json":
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # all JSON is YAML, which names the line
        else:
            if not _is_of_api(value):
                passed_over(str(file))
                return iter(())
            found = _objects_of(value, str(file), lambda place: f"{file}: items[{place}]")
            return ((place, _shallow(item, place)) for place, item in found)
    return _yaml_objects(file, text, passed_over)


def _shallow(item: Item, place: str) -> Item:
    """The item, if it can be encoded again: orjson reads four times as deep as it writes."""
    try:
        orjson.dumps(item)
    except TypeError as error:
        raise UnreadableManifests(place, f"{it.describe(item)} is nested too deep") from error
    return item


def _yaml_objects(
    file: Path, text: str, passed_over: Callable[[str], None]
) -> Iterator[tuple[str, Item]]:
    try:
        for document in documents(text):
            place, place_of = f"{file}:{document.line}", partial(_place_in, file, document)
            if _is_of_api(document.value):
                yield from _objects_of(document.value, place, place_of)
            else:
                passed_over(place)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = ", ".join(filter(None, (error.context, error.problem)))
        cause = f"no YAML: {' '.join(problem.split())}"
        raise UnreadableManifests(f"{file}:{line}", cause) from error
    except yaml.YAMLError as error:
        raise UnreadableManifests(str(file), f"no YAML: {error}") from error


def _is_of_api(value: Any) -> bool:
    """False for what is surely no object of the API: a file of some program, or a patch."""
    if not isinstance(value, dict):
        return not isinstance(value, list)
    group, kind = str(value.get("apiVersion")).rpartition("/")[0], value.get("kind")
    metadata = value.get("metadata")
    if metadata is None:
        return str(kind).endswith("List") or (group, kind) in _OF_API
    notes = metadata.get("annotations") if isinstance(metadata, dict) else None
    is_local = isinstance(notes, dict) and notes.get(_LOCAL) == "true"
    return group != _KUSTOMIZE and not is_local


def _objects_of(
    value: Any, place: str, place_of_item: Callable[[int], str]
) -> Iterator[tuple[str, Item]]:
    if value is None:
        return
    if not isinstance(value, dict):
        raise UnreadableManifests(place, f"{type(value).__name__} instead of an object")
    entries = value.get("items")
    if isinstance(entries, list) and str(value.get("kind")).endswith("List"):
        for number, entry in enumerate(entries):
            where = place_of_item(number)
            yield where, _check(entry, where, value)
    else:
        yield place, _check(value, place)


def _place_in(file: Path, document: Document, number: int) -> str:
    return f"{file}:{document.item_lines[number]}"


def _check(entry: Any, place: str, of: Item | None = None) -> Item:
    if not isinstance(entry, dict):
        raise UnreadableManifests(place, f"{type(entry).__name__} instead of an object")
    item: Item = entry
    if of and of.get("kind") != "List":  # a PodList need not say that its entries are pods
        kind = str(of["kind"]).removesuffix("List")
        item = {"apiVersion": of.get("apiVersion"), "kind": kind} | item
    try:
        for path in (("apiVersion",), ("kind",), ("metadata", "name")):
            if not it.text(item, *path):
                raise UnreadableManifests(place, f"{it.describe(item)}: no {'.'.join(path)}")
        it.namespace(item), it.labels(item), it.annotations(item)
    except MalformedItem as error:
        raise UnreadableManifests(place, f"{error.subject}: {error.cause}") from error
    return item


def _is_copy(item: Item, other: Item) -> bool:
    """True for two states of one object of one cluster."""
    return bool(it.uid(item)) and it.uid(item) == it.uid(other)


def _version(item: Item) -> int:
    """The state's number, which grows with each change; 0 where it is no number."""
    text = it.text(item, "metadata", "resourceVersion")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def _identity(item: Item) -> tuple[str, ...]:
    group = str(item["apiVersion"]).rpartition("/")[0]
    return group, item["kind"], it.namespace(item), it.name(item)
