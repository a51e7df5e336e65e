"""What a backup stored, in a folder as Velero extracts an archive before it restores it.

Source: "Output file format" of Velero's documentation, and pkg/archive/extractor.go of v1.18.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson

from plugin.model.item import Item
from plugin.model.reference import Reference

_VERSION = "1.1.0"


def write(stored: Mapping[Reference, Item], folder: Path) -> None:
    """Write every item to its place below `folder`, which is made."""
    metadata = folder / "metadata"
    metadata.mkdir(parents=True)
    (metadata / "version").write_text(_VERSION)
    for reference, item in stored.items():
        place = ("namespaces", reference.namespace) if reference.namespace else ("cluster",)
        file = folder.joinpath(
            "resources", reference.group_resource, *place, f"{reference.name}.json"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(orjson.dumps(item))
