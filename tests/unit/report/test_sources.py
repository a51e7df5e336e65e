"""Backups in files and folders, whoever has made these."""

import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import orjson
import pytest

from stillpoint.backup_files import search, stored
from stillpoint.backup_files.files import Kind
from stillpoint.backup_files.places import place_of
from stillpoint.backup_files.stored import StoredObjects
from stillpoint.backup_files.tar_stream import Member
from stillpoint.cli.output.backup_report import document
from stillpoint.model import kinds
from stillpoint.model.errors import ArchiveUnreadable, MalformedItem, StillpointError
from stillpoint.report import contents, judge
from stillpoint.report.model import Report, Verdict
from tests.unit.report import world as of


def report(files: search.Found) -> Report:
    return judge.judge(contents.read(files), of.NOW)


def names(path: Path) -> list[str]:
    return [one.name for one in search.find(path)]


def test_the_folder_of_a_backup(tmp_path: Path) -> None:
    [files] = search.find(of.good().write(tmp_path / "nightly"))
    found = report(files)
    assert (found.verdict, found.backup.name) == (Verdict.GOOD, of.NAME)
    assert found.backup.origin == f"folder {tmp_path / 'nightly'}"


def test_a_folder_that_somebody_has_renamed(tmp_path: Path) -> None:
    [files] = search.find(of.good().write(tmp_path / "copy of nightly"))
    assert (files.name, report(files).verdict) == (of.NAME, Verdict.GOOD)


def test_an_object_store_with_several_backups(tmp_path: Path) -> None:
    for name in ("first", "second"):
        of.good().write(tmp_path / "backups" / name, name)
    (tmp_path / "restores").mkdir()
    (tmp_path / "kopia").mkdir()
    assert names(tmp_path) == names(tmp_path / "backups") == ["first", "second"]
    [one] = search.named(search.find(tmp_path), ["second"])
    assert one.name == "second"
    with pytest.raises(ArchiveUnreadable, match="not found; HINT: there are first, second"):
        search.named(search.find(tmp_path), ["third"])


def test_an_object_store_with_a_prefix(tmp_path: Path) -> None:
    of.good().write(tmp_path / "prod" / "backups" / "nightly")
    of.good().write(tmp_path / "backups" / "nightly")
    assert names(tmp_path) == ["nightly", "nightly"]
    assert len(search.named(search.find(tmp_path), ["nightly"])) == 2


@pytest.mark.parametrize("above", ["", "prod"])
def test_a_bucket_may_be_called_like_the_folder_in_it(above: str, tmp_path: Path) -> None:
    bucket = tmp_path / above / "backups"
    of.good().write(bucket / "backups" / "nightly")
    (bucket / "restores").mkdir()
    assert names(bucket) == names(bucket.parent) == ["nightly"]


def test_a_backup_may_be_called_like_the_folder_of_all(tmp_path: Path) -> None:
    of.good().write(tmp_path / "backups" / "backups")
    of.good().write(tmp_path / "backups" / "nightly")
    assert names(tmp_path) == ["nightly", "nightly"]


def test_a_folder_without_the_backup_object_is_known_by_its_archive(tmp_path: Path) -> None:
    folder = of.good().write(tmp_path / "backups" / "nightly")
    (folder / "velero-backup.json").unlink()
    [files] = search.find(tmp_path)
    found = report(files)
    assert files.name == "nightly"
    assert "no-backup-object" in {one.code for one in found.problems}
    assert all(disk.size_bytes for machine in found.machines for disk in machine.disks)


def test_other_archives_beside_one_of_the_folders_name_are_there_too(tmp_path: Path) -> None:
    content = of.good().content(Kind.CONTENTS) or b""
    folder = tmp_path / "nightly"
    folder.mkdir()
    for name in ("nightly.tar.gz", "weekly.tar.gz"):
        (folder / name).write_bytes(content)
    assert names(folder) == ["nightly", "weekly"]


def test_a_folder_of_a_store_that_is_no_backup_is_named(tmp_path: Path) -> None:
    of.good().write(tmp_path / "backups" / "nightly")
    (tmp_path / "backups" / "emptied").mkdir()
    (tmp_path / "backups" / "linked").symlink_to(tmp_path / "backups" / "nightly")
    (tmp_path / "backups" / "piped").mkdir()
    os.mkfifo(tmp_path / "backups" / "piped.tar.gz")
    for place in (tmp_path, tmp_path / "backups"):
        found = {one.name: one for one in search.find(place)}
        assert list(found) == ["emptied", "linked", "nightly", "piped", "piped.tar.gz"]
        assert report(found["nightly"]).verdict is Verdict.GOOD
        for name in found.keys() - {"nightly"}:
            with pytest.raises(ArchiveUnreadable, match=f"backups/{name}: there is no backup"):
                contents.read(found[name])


@pytest.mark.parametrize("name", [b"nightly", b"caf\xe9"])
def test_a_name_of_a_file_may_be_no_text(tmp_path: Path, name: bytes) -> None:
    place = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    folder = of.good().write(place)
    with tarfile.open(folder / "nightly.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    machines = folder / "resources/virtualmachines.kubevirt.io/namespaces/shop"
    (machines / "db.json").rename(machines / os.fsdecode(b"d\xe9.json"))
    [files] = search.find(folder)
    assert '"name": "d\\\\xe9"' in document.text([report(files)])
    assert files.name.isascii()


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become somebody else")
def test_a_folder_that_may_not_be_read_is_said() -> None:
    code = """if True:
        import os, sys
        from pathlib import Path
        from stillpoint.model.errors import ArchiveUnreadable
        from stillpoint.report import contents
        from stillpoint.backup_files import search
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        for folder in map(Path, sys.argv[1:]):
            try:
                for one in search.find(folder):
                    contents.read(one)
            except ArchiveUnreadable as error:
                print(error.attempt, error.cause)
    """
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        top.chmod(0o755)
        closed = top / "backups" / "nightly"
        closed.mkdir(parents=True)
        closed.chmod(0)
        inside = top / "extracted" / "resources" / "persistentvolumeclaims"
        inside.mkdir(parents=True)
        inside.chmod(0)
        folders = [closed, closed.parent, top, top / "extracted"]
        command = [sys.executable, "-c", code, *map(str, folders)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "cannot read it Permission denied\n" * len(folders)


def test_a_backup_that_failed_has_no_archive(tmp_path: Path) -> None:
    world = of.good()
    world.object, world.has_archive = of.backup("Failed"), False
    [files] = search.find(world.write(tmp_path / "nightly"))
    found = report(files)
    assert [one.code for one in found.problems] == ["backup-failed", "no-archive"]
    assert found.verdict is Verdict.NOT_RESTORABLE


def test_an_archive_alone_and_with_its_backup_object(tmp_path: Path) -> None:
    folder = of.good().write(tmp_path / "nightly")
    archive = tmp_path / "nightly-data.tar.gz"
    archive.write_bytes((folder / "nightly.tar.gz").read_bytes())
    [alone] = search.find(archive)
    assert alone.name == "nightly"
    found = {one.name: one for one in report(alone).machines}
    assert "evidence-not-checked" in {one.code for one in found["db"].problems}
    [known] = search.find(archive, folder / "velero-backup.json")
    assert report(known).verdict is Verdict.GOOD


def test_a_folder_of_archives(tmp_path: Path) -> None:
    content = of.good().write(tmp_path / "nightly")
    for name in ("a-data.tar.gz", "b.tgz"):
        (tmp_path / name).write_bytes((content / "nightly.tar.gz").read_bytes())
    (tmp_path / "notes.txt").write_text("none of it")
    assert names(tmp_path) == ["a", "b", "nightly"]
    with pytest.raises(ArchiveUnreadable, match="there are 3"):
        search.find(tmp_path, content / "velero-backup.json")


def test_an_extracted_archive(tmp_path: Path) -> None:
    folder = of.good().write(tmp_path / "nightly")
    with tarfile.open(folder / "nightly.tar.gz") as tar:
        tar.extractall(tmp_path / "extracted", filter="data")
    [files] = search.find(tmp_path / "extracted", folder / "velero-backup.json")
    assert report(files).verdict is Verdict.GOOD


def test_links_and_pipes_of_an_extracted_archive_are_left_alone(tmp_path: Path) -> None:
    folder = of.good().write(tmp_path / "nightly")
    with tarfile.open(folder / "nightly.tar.gz") as tar:
        tar.extractall(tmp_path / "extracted", filter="data")
    claims = tmp_path / "extracted/resources/persistentvolumeclaims/namespaces/shop"
    secret = tmp_path / "secret.json"
    (claims / "db-root.json").rename(secret)
    (claims / "db-root.json").symlink_to(secret)
    os.mkfifo(claims / "pipe.json")
    (claims.parent / "elsewhere").symlink_to(tmp_path)
    [files] = search.find(tmp_path / "extracted", folder / "velero-backup.json")
    [db] = [one for one in report(files).machines if one.name == "db"]
    assert "claim-missing" in {one.code for one in db.problems}


def test_there_may_be_no_backup(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnreadable, match="there is no backup; HINT: name an archive"):
        search.find(tmp_path)


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "nightly.tar.gz")
    with pytest.raises(ArchiveUnreadable, match="there is no backup"):
        search.find(tmp_path / "nightly.tar.gz")


@pytest.mark.parametrize("name", ["velero-backup.json", "nightly-volumeinfo.json.gz"])
def test_a_pipe_in_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = of.good().write(tmp_path / "nightly")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    [files] = search.find(folder)
    with pytest.raises(ArchiveUnreadable, match="no regular file"):
        contents.read(files)


BROKEN = {
    "empty archive": ("nightly.tar.gz", b""),
    "a page": ("nightly.tar.gz", b"<html>"),
    "a packed page": ("nightly.tar.gz", gzip.compress(b"<html>")),
    "no JSON": ("nightly-volumeinfo.json.gz", gzip.compress(b"[")),
    "no list": ("nightly-volumeinfo.json.gz", gzip.compress(b"{}")),
    "no object in a list": ("nightly-itemoperations.json.gz", gzip.compress(b'[{"spec": []}]')),
    "no object": ("velero-backup.json", b"[]"),
    "no JSON of an object": ("velero-backup.json", b"{"),
}


@pytest.mark.parametrize(("name", "content"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    folder = of.good().write(tmp_path / "nightly")
    (folder / name).write_bytes(content)
    [files] = search.find(folder)
    with pytest.raises((ArchiveUnreadable, MalformedItem)) as caught:
        contents.read(files)
    assert isinstance(caught.value, StillpointError)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    folder = of.good().write(tmp_path / "nightly")
    archive = folder / "nightly.tar.gz"
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    [files] = search.find(folder)
    with pytest.raises(ArchiveUnreadable, match="archive of the backup: cannot read it"):
        contents.read(files)


def test_a_byte_that_was_changed_is_found(tmp_path: Path) -> None:
    folder = of.good().write(tmp_path / "nightly")
    archive = folder / "nightly.tar.gz"
    content = bytearray(archive.read_bytes())
    content[-6] ^= 1  # of the checksum of gzip
    archive.write_bytes(content)
    [files] = search.find(folder)
    with pytest.raises(ArchiveUnreadable, match="CRC"):
        contents.read(files)


def test_books_that_are_larger_than_any_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillpoint.backup_files.compressed._MOST_BYTES", 100)
    [files] = search.find(of.good().write(tmp_path / "nightly"))
    with pytest.raises(ArchiveUnreadable, match="more than 100 bytes"):
        contents.read(files)


def test_objects_that_are_larger_than_any_backup_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored, "_MOST_KEPT_BYTES", 1000)
    with pytest.raises(ArchiveUnreadable, match="more than 1,000 bytes"):
        of.report(of.good())


def test_names_alone_can_be_larger_than_any_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = [Member(f"resources/pods/namespaces/shop/{one}.json", None) for one in range(10)]
    assert StoredObjects(pods).holds(kinds.POD.named("shop", "9"))
    monkeypatch.setattr(stored, "_MOST_KEPT_BYTES", 2000)
    with pytest.raises(ArchiveUnreadable, match="more than 2,000 bytes"):
        StoredObjects(pods)


def test_the_backup_of_another_archive_is_refused(tmp_path: Path) -> None:
    """Else its uid would make a false alarm of the seal of all evidence."""
    folder = of.good().write(tmp_path / "nightly")
    (folder / "nightly.tar.gz").rename(tmp_path / "weekly-data.tar.gz")
    [files] = search.find(tmp_path / "weekly-data.tar.gz", folder / "velero-backup.json")
    with pytest.raises(ArchiveUnreadable, match="Backup nightly, and the archive"):
        contents.read(files)


def test_names_lead_nowhere() -> None:
    claim = orjson.dumps(of.claim("db"))
    objects = StoredObjects(
        [
            Member("resources/persistentvolumeclaims/namespaces/../../etc/passwd.json", claim),
            Member("../resources/persistentvolumeclaims/namespaces/shop/db.json", claim),
            Member("/resources/persistentvolumeclaims/namespaces/shop/db.json", claim),
            Member("./resources/persistentvolumeclaims/namespaces/shop/db.json", claim),
        ]
    )
    assert objects.references(kinds.CLAIM, "shop") == [kinds.CLAIM.named("shop", "db")]
    assert objects.namespaces(kinds.CLAIM) == ["shop"]


def test_no_secret_is_looked_into() -> None:
    assert not stored.is_read("resources/secrets/namespaces/shop/db.json")
    assert place_of("resources/secrets/namespaces/shop/db.json") is not None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"metadata": []}', b'{"a": "\xff"}'])
def test_an_object_that_is_no_json_is_refused(content: bytes) -> None:
    name = "resources/persistentvolumeclaims/namespaces/shop/db.json"
    with pytest.raises(ArchiveUnreadable, match=r"db.json of the backup"):
        StoredObjects([Member(name, content)])


def test_a_backup_of_another_cluster_has_the_uid_of_its_operations() -> None:
    world = of.good()
    assert world.object is not None
    world.object["metadata"]["uid"] = "made by Velero's synchronization"
    spec = {"backupUID": of.UID, "resourceIdentifier": {}}
    world.operations = [{"spec": spec, "status": {"phase": "Completed"}}]
    assert of.report(world).verdict is Verdict.GOOD
