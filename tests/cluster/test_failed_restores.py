"""Restores that must fail leave nothing half-made: a right one after each of them succeeds."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import machines_and_claims
from tests.cluster.storage import CLASS, wait_until_bound

SOURCE = "failing"
DB = Machine(SOURCE, "db", disks=(Disk("root"), Disk("data", "Block")))
WEB = Machine(SOURCE, "web")
CLAIMS = ["db-data", "db-root", "web-root"]
KUBEVIRT = "kubevirt.io/v1"
CLAIM = ("v1", "PersistentVolumeClaim")
OF_SOMEBODY = b"the bytes of somebody else's claim"


@dataclass
class Failing:
    """One backup, and restores of it into namespaces of their own: a wrong one, then a right one.

    Attributes:
        made: machines and claims of the namespace after the wrong restore.
    """

    cluster: Cluster
    restores: dict[str, Object] = field(default_factory=dict)
    made: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        return self.cluster.velero.bucket / "backups" / SOURCE / f"{SOURCE}.tar.gz"

    def target(self, case: str) -> str:
        return f"{SOURCE}-{case}"

    def wrong(self, case: str, **conditions: str) -> None:
        self._restore(case, f"{self.target(case)}-wrong", conditions)
        self.made[case] = self.names(case)

    def right(self, case: str, **conditions: str) -> None:
        self._restore(case, self.target(case), conditions)

    def _restore(self, case: str, name: str, conditions: dict[str, str]) -> None:
        spec = {"backupName": SOURCE, "namespaceMapping": {SOURCE: self.target(case)}}
        annotations = {f"stillpoint.dev/{key}": value for key, value in conditions.items()}
        self.restores[name] = self.cluster.restore(name, spec, annotations=annotations)

    def names(self, case: str) -> dict[str, list[str]]:
        return machines_and_claims(self.cluster.api, self.target(case))

    def phase(self, name: str) -> str:
        return str(self.restores[name]["status"]["phase"])

    def errors(self, case: str) -> list[str]:
        found = self.cluster.restore_results(f"{self.target(case)}-wrong")["errors"]
        return list(found.get("namespaces", {}).get(self.target(case), []))

    def assert_came_back(
        self,
        case: str,
        machines: list[str],
        claims: dict[str, str],
        *,
        others: tuple[str, ...] = (),
    ) -> None:
        """That the right restore made these; claims, new name to old, with the old one's bytes."""
        name = self.target(case)
        assert self.phase(name) == "Completed", self.cluster.restore_log(name)
        wait_until_bound(self.cluster.api, self.target(case))
        assert self.names(case) == {
            "machines": sorted(machines),
            "claims": sorted((*claims, *others)),
        }
        for new, old in claims.items():
            held = self.cluster.disk_image(self.target(case), new).read_bytes().rstrip(b"\0")
            assert held == content(old), new

    def assert_all_came_back(self, case: str) -> None:
        self.assert_came_back(case, ["db", "web"], {claim: claim for claim in CLAIMS})

    @contextmanager
    def archive_with(self, content: bytes) -> Iterator[None]:
        whole = self.archive.read_bytes()
        self.archive.write_bytes(content)
        try:
            yield
        finally:
            self.archive.write_bytes(whole)


def content(claim: str) -> bytes:
    return f"{claim} at the backup ".encode() * 1000


def cut_inside(archive: bytes, ending: str) -> bytes:
    """The archive with one item cut short: as long as a full disk let it become."""
    result = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as source,
        tarfile.open(fileobj=result, mode="w:gz") as target,
    ):
        for member in source:
            stored = source.extractfile(member)
            content = stored.read() if stored else b""
            if member.name.endswith(ending):
                content = content[: len(content) // 2]
                member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return result.getvalue()


@pytest.fixture(scope="module")
def failing(cluster: Cluster) -> Failing:
    cluster.create_namespace(SOURCE)
    cluster.create_vms([DB, WEB])
    for claim in CLAIMS:
        cluster.disk_image(SOURCE, claim).write_bytes(content(claim))
    backup = cluster.backup(SOURCE, {"includedNamespaces": [SOURCE]})
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(SOURCE)
    made = Failing(cluster)
    whole = made.archive.read_bytes()

    with made.archive_with(whole[: len(whole) // 2]):
        made.wrong("cut")
    with made.archive_with(
        cut_inside(whole, "virtualmachines.kubevirt.io/namespaces/failing/db.json")
    ):
        made.wrong("item")
        made.wrong("only", only="web")
    made.wrong("renamed", rename="db=same, web=same")
    made.wrong("taken", rename="db=web")
    make_claim_of_somebody(cluster, made.target("claimed"), "copy-data")
    made.wrong("claimed", rename="db=copy", only="db")
    make_claim_of_somebody(cluster, made.target("existing"), "db-data")

    for case in ("cut", "item", "only", "existing"):
        made.right(case)
    made.right("renamed", rename="db=one, web=other")
    made.right("taken", rename="db=copy")
    made.right("claimed", rename="db=second", only="db")
    return made


def make_claim_of_somebody(cluster: Cluster, namespace: str, name: str) -> None:
    cluster.create_namespace(namespace)
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "64Mi"}},
        "storageClassName": CLASS,
        "volumeMode": "Block",
    }
    metadata = {"namespace": namespace, "name": name}
    cluster.api.create({"apiVersion": "v1", "kind": CLAIM[1], "metadata": metadata, "spec": spec})
    wait_until_bound(cluster.api, namespace)
    cluster.disk_image(namespace, name).write_bytes(OF_SOMEBODY)


NOTHING: dict[str, list[str]] = {"machines": [], "claims": []}


def test_of_an_archive_cut_short_nothing_is_made(failing: Failing) -> None:
    name = f"{failing.target('cut')}-wrong"
    assert failing.phase(name) == "PartiallyFailed"
    assert "unexpected EOF" in str(failing.cluster.restore_results(name)["errors"]["velero"])
    assert failing.made["cut"] == NOTHING
    failing.assert_all_came_back("cut")


def test_a_machine_cut_short_in_the_archive_is_an_error_that_a_second_restore_makes_good(
    failing: Failing,
) -> None:
    assert failing.phase(f"{failing.target('item')}-wrong") == "PartiallyFailed"
    assert failing.made["item"]["machines"] == ["web"]
    failing.assert_all_came_back("item")


def test_what_depends_on_a_machine_cut_short_is_refused_with_its_name_and_nothing_is_made(
    failing: Failing,
) -> None:
    assert failing.phase(f"{failing.target('only')}-wrong") == "PartiallyFailed"
    assert any(
        "virtualmachines.kubevirt.io/namespaces/failing/db.json of the backup: cannot read it"
        in each
        for each in failing.errors("only")
    )
    assert failing.made["only"] == NOTHING
    failing.assert_all_came_back("only")


def test_conflicting_new_names_make_nothing(failing: Failing) -> None:
    assert failing.phase(f"{failing.target('renamed')}-wrong") == "PartiallyFailed"
    errors = failing.errors("renamed")
    assert len(errors) == 2
    assert all("db and web would both become same" in each for each in errors)
    assert failing.made["renamed"] == NOTHING
    claims = {"one-root": "db-root", "one-data": "db-data", "other-root": "web-root"}
    failing.assert_came_back("renamed", ["one", "other"], claims)


def test_a_new_name_that_another_machine_of_the_backup_has_makes_nothing_of_the_renamed_one(
    failing: Failing,
) -> None:
    [error] = failing.errors("taken")
    assert "virtual machine failing/db: cannot come back as web: web of the backup" in error
    assert failing.made["taken"] == {"machines": ["web"], "claims": ["web-root"]}
    claims = {"copy-root": "db-root", "copy-data": "db-data", "web-root": "web-root"}
    failing.assert_came_back("taken", ["copy", "web"], claims)


def test_a_claim_that_has_the_new_name_is_left_as_it_is_and_nothing_is_made_beside_it(
    failing: Failing,
) -> None:
    [error] = failing.errors("claimed")
    assert "cannot come back as copy: persistentvolumeclaims failing/copy-data exists" in error
    assert failing.made["claimed"] == {"machines": [], "claims": ["copy-data"]}
    claims = {"second-root": "db-root", "second-data": "db-data"}
    failing.assert_came_back("claimed", ["second"], claims, others=("copy-data",))
    assert_of_somebody(failing, "claimed", "copy-data")


def test_a_claim_that_exists_keeps_its_bytes_and_the_restore_says_so(failing: Failing) -> None:
    assert_of_somebody(failing, "existing", "db-data")
    name = failing.target("existing")
    warnings = json.dumps(failing.cluster.restore_results(name)["warnings"])
    assert "db-data" in warnings
    claims = {claim: claim for claim in CLAIMS if claim != "db-data"}
    failing.assert_came_back("existing", ["db", "web"], claims, others=("db-data",))


def assert_of_somebody(failing: Failing, case: str, claim: str) -> None:
    image = failing.cluster.disk_image(failing.target(case), claim)
    assert image.read_bytes().rstrip(b"\0") == OF_SOMEBODY
