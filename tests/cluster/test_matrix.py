"""The behaviour matrix that kubevirt-velero-plugin's functional tests prove, on real Velero.

Rows are in matrix.yaml. Rows with the same filters share one backup of all guests: an error belongs
to the guest that it names, and Velero's phase follows from whether there are errors at all. Where
something is restored, its disks were cut.

Rows marked `exhaustive` run in `make exhaustive` alone: another row has their guest, their result
and their way of selection, with a kind more or less in its filters.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.cluster import matrix_guests
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine
from tests.cluster.matrix_guests import GUESTS, KINDS, object_name

FILTERED, LABELLED = "matrix", "matrix-labels"
LABEL = {"matrix": "selected"}
EXCLUDED = {"velero.io/exclude-from-backup": "true"}
METADATA = {"velero.kubevirt.io/metadataBackup": ""}
PREPOPULATED = "cdi.kubevirt.io/storage.prePopulated"


@dataclass(frozen=True)
class Row:
    """See matrix.yaml."""

    id: str
    guest: str
    result: str
    holds: list[str]
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    select: str = ""
    label: list[str] | None = None
    metadata: bool = False
    namespaces: str = "included"
    restored: list[str] | None = None
    differs: str = ""
    exhaustive: bool = False

    def __str__(self) -> str:
        """The name of the test."""
        deviation = f" differs from KVP: {self.differs}" if self.differs else ""
        return f"{self.id} {self.guest} {self.result}{deviation}"

    @property
    def case(self) -> object:
        """This row as a test's parameter."""
        marks = [pytest.mark.exhaustive] if self.exhaustive else []
        return pytest.param(self, id=str(self), marks=marks)

    @property
    def machine(self) -> Machine:
        if self.label is None:
            return Machine(FILTERED, self.guest)
        return Machine(LABELLED, f"{self.guest}-{self.id.partition(' ')[0]}")

    @property
    def spec(self) -> Object:
        spec: Object = {"snapshotVolumes": self.restored is not None}
        if self.namespaces == "excluded":
            spec["includeClusterResources"] = False
        else:
            spec["includedNamespaces"] = [self.machine.namespace]
        if self.include:
            spec["includedResources"] = self.include
        if self.exclude:
            spec["excludedResources"] = self.exclude
        if self.select:
            spec["labelSelector"] = {"matchLabels": LABEL}
        return spec


ROWS = [Row(**row) for row in yaml.safe_load(Path(__file__).with_name("matrix.yaml").read_text())]


@dataclass
class Matrix:
    """The guests, and each backup and restore once."""

    cluster: Cluster
    backups: dict[str, Object] = field(default_factory=dict)
    """By what was asked for."""
    restored: dict[str, str] = field(default_factory=dict)

    def backup(self, row: Row) -> Object:
        asked = json.dumps([row.spec, row.metadata])
        if asked not in self.backups:
            name = f"{row.machine.namespace}-{len(self.backups):02}"
            labels = METADATA if row.metadata else {}
            spec = row.spec
            if row.namespaces == "excluded":
                spec["excludedNamespaces"] = self.other_namespaces(row)
            self.backups[asked] = self.cluster.backup(name, spec, labels=labels)
        return self.backups[asked]

    def backed_up(self, row: Row) -> str:
        return str(self.backup(row)["metadata"]["name"])

    def restored_namespace(self, row: Row) -> str:
        """With what a restore of the row's backup made."""
        name = self.backed_up(row)
        if name not in self.restored:
            target = f"{name}-restored"
            spec = {"backupName": name, "namespaceMapping": {row.machine.namespace: target}}
            restore = self.cluster.restore(name, spec)
            assert restore["status"]["phase"] == "Completed", self.cluster.restore_log(name)
            self.restored[name] = target
        return self.restored[name]

    def other_namespaces(self, row: Row) -> list[str]:
        found = self.cluster.api.list("v1", "Namespace")
        names = [each["metadata"]["name"] for each in found]
        return [name for name in names if name != row.machine.namespace]

    def held_namespaces(self, row: Row) -> set[str]:
        """Namespaces of which the row's backup has anything."""
        paths = self.cluster.backup_items(self.backed_up(row))
        parts = (path.split("/") for path in paths)
        return {part[3] for part in parts if part[2] == "namespaces"}

    def errors(self, row: Row) -> list[str]:
        """All errors of the row's backup."""
        return list(each_text(self.cluster.backup_results(self.backed_up(row)).get("errors", {})))

    def held(self, row: Row) -> list[str]:
        items = self.cluster.backup_items(self.backed_up(row))
        machine = row.machine
        return [
            part
            for part, (_api_version, _kind, resource) in KINDS.items()
            if f"resources/{resource}/namespaces/{machine.namespace}/"
            f"{object_name(machine, part)}.json" in items
        ]


def each_text(found: object) -> Iterator[str]:
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list):
        for each in found:
            yield from each_text(each)
    elif isinstance(found, str):
        yield found


@pytest.fixture(scope="module")
def matrix(cluster: Cluster) -> Matrix:
    labelled = [row for row in ROWS if row.label is not None]
    for namespace, guests in (
        (FILTERED, [(guest, guest) for guest in GUESTS]),
        (LABELLED, [(row.machine.name, row.guest) for row in labelled]),
    ):
        cluster.create_namespace(namespace)
        matrix_guests.create(cluster, namespace, guests)
    for row in ROWS:
        for part in row.label or ():
            change: Object = {"metadata": {"labels": EXCLUDED}}
            matrix_guests.patch(cluster.api, row.machine, part, change)
        if row.select:
            selected: Object = {"metadata": {"labels": LABEL}}
            matrix_guests.patch(cluster.api, row.machine, row.select, selected)
    return Matrix(cluster)


@pytest.mark.parametrize("row", [row.case for row in ROWS])
def test_a_row_of_the_matrix(matrix: Matrix, row: Row) -> None:
    machine, every = row.machine, matrix.errors(row)
    names = {f"{machine.namespace}/{object_name(machine, part)}:" for part in KINDS}
    errors = [error for error in every if any(name in error for name in names)]
    if row.result == "completed":
        assert not errors
    else:
        assert errors, "not refused"
        assert all("HINT: " in error for error in errors)
        assert row.result == "refused" or row.result in errors[0]
    refused = any("HINT: " in error for error in every)
    assert matrix.backup(row)["status"]["phase"] == ("PartiallyFailed" if refused else "Completed")
    assert matrix.held(row) == row.holds
    assert matrix.held_namespaces(row) <= {row.machine.namespace}


@pytest.mark.parametrize("row", [row.case for row in ROWS if row.restored is not None])
def test_what_a_row_restores(matrix: Matrix, row: Row) -> None:
    namespace = matrix.restored_namespace(row)
    found = {}
    for part, (api_version, kind, _resource) in KINDS.items():
        name = object_name(row.machine, part)
        if restored := matrix.cluster.api.find(api_version, kind, namespace, name):
            found[part] = restored
    assert list(found) == row.restored
    if "DV" in found:
        mark = found["DV"]["metadata"].get("annotations", {}).get(PREPOPULATED)
        filled = object_name(row.machine, "DV") if "PVC" in row.holds else None
        assert mark == filled, "CDI fills a claim again, or leaves an empty one as it is"
    if "PVC" in found:
        assert "ownerReferences" not in found["PVC"]["metadata"]
