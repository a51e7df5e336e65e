"""Archives of finished backups: what is read of them, and what is refused."""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from stillpoint.backup_files import tar_stream
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.sources import finished_backup
from tests.unit.report import world as of

MACHINE = b'{"apiVersion":"kubevirt.io/v1","kind":"VirtualMachine","metadata":{"name":"db"}}'
WIDGET = b'{"apiVersion":"shop.io/v1alpha1","kind":"Widget","metadata":{"name":"w"}}'
BACKUP = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "nightly"}}
PATH = "resources/virtualmachines.kubevirt.io/namespaces/shop/db.json"
FILES = {
    PATH: MACHINE,
    "resources/virtualmachines.kubevirt.io/v1-preferredversion/namespaces/shop/db.json": MACHINE,
    "resources/widgets.shop.io/cluster/w.json": WIDGET,
    "metadata/version": b"1.1.0\n",
}
STORED = {
    Reference("kubevirt.io", "virtualmachines", "shop", "db"): orjson.loads(MACHINE),
    Reference("shop.io", "widgets", "", "w"): orjson.loads(WIDGET),
}


def tarball(place: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(place, "w:gz") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return place


def extracted(place: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return place


def test_a_tarball_and_the_folder_extracted_from_it_are_the_same(tmp_path: Path) -> None:
    for place in (tarball(tmp_path / "a.tar.gz", FILES), extracted(tmp_path / "a", FILES)):
        found = finished_backup.read(place)
        assert found.stored == STORED
        assert found.name == "a"
        assert found.backup is None
        [widget] = [one for one in found.resources if one.group == "shop.io"]
        assert (widget.name, widget.api_version) == ("widgets.shop.io", "shop.io/v1alpha1")


def test_its_name_is_that_of_the_backup(tmp_path: Path) -> None:
    assert finished_backup.read(tarball(tmp_path / "nightly-data.tar.gz", FILES)).name == "nightly"


def test_the_backup_may_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "velero-backup.json").write_bytes(orjson.dumps(BACKUP))
    assert finished_backup.read(tarball(tmp_path / "nightly.tar.gz", FILES)).backup == BACKUP


def test_what_names_no_item_is_passed_over(tmp_path: Path) -> None:
    strange = {
        "../../resources/pods/cluster/x.json": MACHINE,
        "resources/pods/namespaces/a/b/c.json": MACHINE,
        "resources/pods.json": MACHINE,
        "/etc/x.json": MACHINE,
    }
    found = finished_backup.read(tarball(tmp_path / "a.tar.gz", {**strange, **FILES}))
    assert found.stored == STORED


def test_a_link_in_it_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_bytes(MACHINE)
    place = tmp_path / "a.tar.gz"
    with tarfile.open(place, "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            header = tarfile.TarInfo("resources/pods/namespaces/shop/x.json")
            header.type, header.linkname = kind, str(secret)
            archive.addfile(header)
    with pytest.raises(ArchiveUnreadable, match="nothing in it lies where"):
        finished_backup.read(place)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"{", "it is no JSON"),
        (b"[]", "it is no object of the Kubernetes API"),
        (b'{"metadata": {}, "kind": "Pod"}', "it is no object of the Kubernetes API"),
    ],
)
def test_what_is_no_object_is_refused_with_its_place(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    with pytest.raises(ArchiveUnreadable, match=cause) as caught:
        finished_backup.read(tarball(tmp_path / "a.tar.gz", {PATH: content}))
    assert PATH in caught.value.subject


def test_what_is_torn_or_no_archive_is_refused(tmp_path: Path) -> None:
    whole = tarball(tmp_path / "a.tar.gz", {PATH: MACHINE * 1000}).read_bytes()
    for content in (whole[: len(whole) // 2], b"text", b""):
        (tmp_path / "torn.tar.gz").write_bytes(content)
        with pytest.raises(ArchiveUnreadable):
            finished_backup.read(tmp_path / "torn.tar.gz")
    with pytest.raises(ArchiveUnreadable):
        finished_backup.read(tmp_path)


def test_objects_that_take_more_than_any_backup_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished_backup, "_MOST_BYTES", len(MACHINE) + 10)
    with pytest.raises(ArchiveUnreadable, match="take more than"):
        finished_backup.read(tarball(tmp_path / "a.tar.gz", FILES))


def test_a_member_larger_than_any_object_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_stream, "MOST_MEMBER_BYTES", 10)
    for place in (tarball(tmp_path / "a.tar.gz", FILES), extracted(tmp_path / "a", FILES)):
        with pytest.raises(ArchiveUnreadable, match="10 are the most"):
            finished_backup.read(place)


def test_in_an_extracted_folder_nothing_is_followed_or_waited_for(tmp_path: Path) -> None:
    folder = extracted(tmp_path / "a", FILES)
    (tmp_path / "outside.json").write_bytes(WIDGET)
    pods = folder / "resources/pods/namespaces/shop"
    pods.mkdir(parents=True)
    (pods / "link.json").symlink_to(tmp_path / "outside.json")
    (folder / "velero-backup.json").symlink_to(tmp_path / "outside.json")
    os.mkfifo(pods / "pipe.json")
    found = finished_backup.read(folder)
    assert found.stored == STORED
    assert found.backup is None


def test_a_folder_of_the_object_store_has_archive_and_backup(tmp_path: Path) -> None:
    folder = tmp_path / "nightly"
    folder.mkdir()
    tarball(folder / "nightly.tar.gz", FILES)
    (folder / "velero-backup.json").write_bytes(orjson.dumps(BACKUP))
    found = finished_backup.read(folder)
    assert (found.name, found.stored, found.backup) == ("nightly", STORED, BACKUP)


def test_a_backup_of_another_name_beside_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "velero-backup.json").write_bytes(orjson.dumps(BACKUP))
    for name in ("weekly.tar.gz", "weekly-data.tar.gz"):
        with pytest.raises(ArchiveUnreadable, match="Backup nightly, and the archive"):
            finished_backup.read(tarball(tmp_path / name, FILES))


def test_a_folder_whose_objects_are_a_link_is_no_backup(tmp_path: Path) -> None:
    outside = extracted(tmp_path / "outside", FILES)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/resources").symlink_to(outside / "resources")
    with pytest.raises(ArchiveUnreadable, match="there is no backup"):
        finished_backup.read(tmp_path / "a")


def test_the_files_beside_an_archive_are_read_too(tmp_path: Path) -> None:
    found = finished_backup.read(of.good().write(tmp_path / of.NAME))
    assert found == finished_backup.of_files(of.good())
    assert found.backup
    assert (found.name, found.backup["metadata"]["name"]) == (of.NAME, of.NAME)
    assert found.books.uids == {of.UID}
    assert found.books.volumes
    assert found.books.volumes["shop", "db-root"].handle


def test_files_without_an_archive_are_no_finished_backup() -> None:
    world = of.good()
    world.has_archive = False
    with pytest.raises(ArchiveUnreadable, match="there is no archive"):
        finished_backup.of_files(world)
