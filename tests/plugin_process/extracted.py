"""What a backup stored, in a folder as Velero extracts an archive before it restores it.

Source: "Output file format" of Velero's documentation, and pkg/archive/extractor.go of v1.18.
"""

from collections.abc import Mapping
from pathlib import Path

from stillpoint.model import json_text
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference

_VERSION = "1.1.0"


def write(stored: Mapping[Reference, Item], folder: Path) -> None:
    """Write every item to its place below `folder`, which is made."""
    metadata = folder / "metadata"
    metadata.mkdir(parents=True)
    (metadata / "version").write_text(_VERSION)
    places: dict[tuple[str, str], Path] = {}
    for reference, item in stored.items():
        key = (reference.group_resource, reference.namespace)
        if key not in places:
            scope = ("namespaces", reference.namespace) if reference.namespace else ("cluster",)
            places[key] = folder.joinpath("resources", reference.group_resource, *scope)
            places[key].mkdir(parents=True)
        (places[key] / f"{reference.name}.json").write_bytes(json_text.encode(item))
