"""Folders as `oc adm must-gather` of OADP and `oc adm inspect` leave them.

Layout: pkg/cli/admin/inspect of openshift/oc, April 2026; must-gather/pkg of oadp-operator, July
2025. Pods are there twice, and lists of OADP's own beside those of `oc adm inspect`.
"""

import gzip
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from stillpoint.model import item as it
from stillpoint.model.api_resources import KNOWN, guess_plural
from stillpoint.model.item import Item

IMAGE = "registry-example-com-oadp-mustgather-sha256-0a1b2c"
CLUSTER = "1f2e3d4c"

OF_MUST_GATHER = {
    "DataProtectionApplication", "BackupStorageLocation", "Backup", "Schedule",
    "ClusterServiceVersion", "StorageClass", "VolumeSnapshotClass",
}  # fmt: skip
"""Lists that OADP's must-gather writes itself, from all namespaces."""

INSPECTED = ("openshift-adp", "openshift-cnv")
"""Namespaces of operators, of which it writes what `oc adm inspect` does."""


class Dump:
    """A must-gather under a folder: `must-gather.local.1/IMAGE/clusters/ID`."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "must-gather.local.1"
        self.root = self.top / IMAGE / "clusters" / CLUSTER
        self.root.mkdir(parents=True)
        (self.top / "must-gather.logs").write_text("[must-gather      ] OUT gathered\n")
        (self.top / "event-filter.html").write_text("<html></html>")
        (self.root / "oadp-must-gather-summary.md").write_text("# Must-gather\n")
        when = "2026-11-01 {} +0000 UTC m=+0.07\n"
        (self.top / "timestamp").write_text(
            when.format("12:58:01.5").replace("+0000 UTC", "+0100 CET")
            + when.format("12:00:00.123456789")
        )

    def list(self, of: Iterable[Item], *, kind: str = "List") -> None:
        """`GROUP/PLURAL.yaml`, or as OADP does `GROUP/PLURAL/PLURAL.yaml`, per namespace."""
        by_place: dict[Path, list[Item]] = {}
        for one in of:
            by_place.setdefault(self._folder(one), []).append(one)
        for folder, items in by_place.items():
            own = folder if kind == "List" else folder.parent
            document = {"apiVersion": "v1", "kind": kind, "metadata": {}, "items": items}
            if kind != "List":
                document["apiVersion"] = items[0]["apiVersion"]
            write(own / f"{folder.name}.yaml", document)

    def each(self, of: Iterable[Item], *, is_packed: bool = False) -> None:
        """`GROUP/PLURAL/NAME.yaml`, perhaps with .gz."""
        for one in of:
            path = self._folder(one) / f"{it.name(one)}.yaml"
            write(path.with_name(f"{path.name}.gz") if is_packed else path, one)

    def pods(self, of: Iterable[Item]) -> None:
        """As `oc adm inspect`: the list, and a folder for each with its logs."""
        self.list(of, kind="PodList")
        for one in of:
            folder = self.root / "namespaces" / it.namespace(one) / "pods" / it.name(one)
            write(folder / f"{it.name(one)}.yaml", one)
            logs = folder / "compute" / "compute" / "logs"
            logs.mkdir(parents=True)
            (logs / "current.log").write_text("{not: yaml\n")

    def _folder(self, one: Item) -> Path:
        if one["kind"] == "Namespace":
            return self.root / "namespaces" / it.name(one)
        group = it.group_kind(one)[0]
        plurals = {(each.group, each.kind): each.plural for each in KNOWN}
        plural = plurals.get(it.group_kind(one)) or guess_plural(one["kind"])
        namespace = it.namespace(one)
        scope = ("namespaces", namespace) if namespace else ("cluster-scoped-resources",)
        return self.root.joinpath(*scope, group or "core", plural)


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(value).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def live(of: Iterable[Item]) -> list[Item]:
    """The objects as a cluster has them: each with a number of its own."""
    numbers = map(str, itertools.count(1))
    return [
        {**one, "metadata": {**one["metadata"], "uid": next(numbers), "resourceVersion": "7"}}
        for one in of
    ]


def must_gather(folder: Path, of: Iterable[Item]) -> Dump:
    """What OADP's must-gather has of these objects, and nothing else."""
    of = list(of)
    dump = Dump(folder)
    dump.list([one for one in of if one["kind"] in OF_MUST_GATHER])
    dump.each([one for one in of if one["kind"] == "ClusterVersion"])
    inspected = [
        one for one in of if it.namespace(one) in INSPECTED and one["kind"] not in OF_MUST_GATHER
    ]
    for kind in sorted({one["kind"] for one in inspected} - {"Pod"}):
        dump.list([one for one in inspected if one["kind"] == kind], kind=f"{kind}List")
    dump.pods([one for one in inspected if one["kind"] == "Pod"])
    return dump
