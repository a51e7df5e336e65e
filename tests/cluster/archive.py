"""What Velero left in its object store about a backup or a restore."""

import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

from tests.cluster.api import Object


class Archive:
    def __init__(self, bucket: Path) -> None:
        self.bucket = bucket

    def backup_items(self, name: str) -> dict[str, Object]:
        """Stored objects by their path in the tarball, `resources/pods/namespaces/shop/db.json`."""
        items = {}
        with tarfile.open(self.bucket / "backups" / name / f"{name}.tar.gz") as tarball:
            for member in tarball:
                content = tarball.extractfile(member)
                if content is not None and member.name.endswith(".json"):
                    items[member.name] = json.load(content)
        return items

    def synchronized_backup(self, name: str) -> Object:
        """The Backup that Velero's sync, off here, makes of its store in another cluster."""
        stored: Object = json.loads(
            (self.bucket / "backups" / name / "velero-backup.json").read_text()
        )
        kept = ("name", "namespace", "labels", "annotations")
        metadata = {key: stored["metadata"][key] for key in kept if key in stored["metadata"]}
        return stored | {"metadata": metadata}

    def backup_log(self, name: str) -> str:
        return self._text(f"backups/{name}/{name}-logs.gz")

    def backup_results(self, name: str) -> dict[str, Any]:
        """Errors and warnings, as Velero groups them."""
        return self._json(f"backups/{name}/{name}-results.gz")

    def volume_information(self, name: str) -> list[dict[str, Any]]:
        """Velero's entries about the volumes of a backup, in its order."""
        text = self._text(f"backups/{name}/{name}-volumeinfo.json.gz")
        entries: list[dict[str, Any]] = json.loads(text or "[]")
        return entries

    def restore_log(self, name: str) -> str:
        return self._text(f"restores/{name}/restore-{name}-logs.gz")

    def restore_results(self, name: str) -> dict[str, Any]:
        """Errors and warnings, as Velero groups them."""
        return self._json(f"restores/{name}/restore-{name}-results.gz")

    def backup_operations(self, name: str) -> list[dict[str, Any]]:
        """Item operations, as Velero wrote them last."""
        return self._list(f"backups/{name}/{name}-itemoperations.json.gz")

    def volume_infos(self, name: str) -> list[dict[str, Any]]:
        """Velero's book of the volumes: what was done with each."""
        return self._list(f"backups/{name}/{name}-volumeinfo.json.gz")

    def restore_operations(self, name: str) -> list[dict[str, Any]]:
        """Item operations, as Velero wrote them last: when a person asked, or at their end."""
        return self._list(f"restores/{name}/restore-{name}-itemoperations.json.gz")

    def _text(self, key: str) -> str:
        """Content of a compressed object; empty if Velero wrote none, as for a bad spec."""
        path = self.bucket / key
        return gzip.decompress(path.read_bytes()).decode() if path.exists() else ""

    def _json(self, key: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._text(key) or "{}")
        return content

    def _list(self, key: str) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = json.loads(self._text(key) or "[]")
        return content
