"""The backup that is restored, found in the temporary directory by an item of it."""

import os
from pathlib import Path

import orjson
import pytest

from stillpoint.cluster.extracted_backup import ExtractedBackups
from stillpoint.model import kinds
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import persistent_volume_claim
from tests.plugin_process import extracted

CLAIM = persistent_volume_claim.RESOURCE.named("shop", "db-root")
NAMESPACE = kinds.NAMESPACE.named("", "shop")


def claim(uid: str = "1", name: str = "db-root") -> Item:
    metadata = {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}


def backup(folder: Path, uid: str = "1") -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "n"}}
    stored: dict[Reference, Item] = {CLAIM: claim(uid), NAMESPACE: namespace}
    stored[CLAIM.renamed("other")] = claim("2", "other")
    extracted.write(stored, folder)


def test_it_is_found_among_what_lies_there_by_an_item_in_hand(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "0001").mkdir()
    backup(tmp_path / "0002", uid="of another backup of the same claim")
    backup(tmp_path / "0003")
    archive = ExtractedBackups(tmp_path).of_restore("r", claim())
    assert archive.get(CLAIM) == claim()
    assert archive.holds(NAMESPACE)
    assert not archive.holds(CLAIM.renamed("missing"))
    assert archive.get(CLAIM.renamed("missing")) is None
    listed = archive.list(persistent_volume_claim.RESOURCE, "shop")
    assert [item["metadata"]["name"] for item in listed] == ["db-root", "other"]
    assert archive.list(persistent_volume_claim.RESOURCE, "test") == []
    assert archive.namespaces(persistent_volume_claim.RESOURCE) == ["shop"]
    assert archive.namespaces(kinds.SECRET) == []


def test_what_velero_left_of_an_archive_that_was_cut_short_is_not_taken_for_the_whole_one(
    tmp_path: Path,
) -> None:
    """In whatever order a folder's entries are listed."""
    for left, whole in (("0001", "0002"), ("0004", "0003")):
        folder = tmp_path / left[-1]
        for name in (left, whole):
            backup(folder / name)
        resources = folder / left / "resources" / "persistentvolumeclaims" / "namespaces" / "shop"
        (resources / "other.json").unlink()
        os.utime(folder / left, (1, 1))
        archive = ExtractedBackups(folder).of_restore("r", claim())
        assert archive.holds(CLAIM.renamed("other"))


def test_a_part_with_half_of_the_item_in_hand_is_passed_over(tmp_path: Path) -> None:
    backup(tmp_path / "0001")
    os.utime(tmp_path / "0001", (1, 1))
    backup(tmp_path / "0002")
    cut = tmp_path / "0002" / "resources" / "persistentvolumeclaims" / "namespaces" / "shop"
    (cut / "db-root.json").write_text('{"apiVersion": "v1", "metad')
    assert ExtractedBackups(tmp_path).of_restore("r", claim()).get(CLAIM) == claim()


def test_what_is_made_of_it_is_made_once_for_a_restore(tmp_path: Path) -> None:
    backup(tmp_path / "0001")
    archives = ExtractedBackups(tmp_path)
    made: list[str] = []
    for restore in ("one", "one", "two"):
        archives.of_restore(restore, claim()).once("key", lambda: made.append("x"))
    assert len(made) == 2


def test_nothing_is_looked_for_before_it_is_asked(tmp_path: Path) -> None:
    ExtractedBackups(tmp_path / "missing").of_restore("r", claim())


def test_without_it_the_error_says_what_was_looked_for(tmp_path: Path) -> None:
    backup(tmp_path / "0001", uid="another")
    archive = ExtractedBackups(tmp_path).of_restore("r", claim())
    with pytest.raises(ArchiveUnreadable) as raised:
        archive.holds(CLAIM)
    assert f"no folder of {tmp_path} holds PersistentVolumeClaim shop/db-root" in str(raised.value)


@pytest.mark.parametrize("content", [b'{"metadata": {"na', b"[]", b"{}", b""])
def test_an_archive_that_was_cut_short_is_an_error_that_names_the_object(
    tmp_path: Path, content: bytes
) -> None:
    backup(tmp_path / "0001")
    archive = ExtractedBackups(tmp_path).of_restore("r", claim())
    [file] = (tmp_path / "0001").rglob("other.json")
    file.write_bytes(content)
    with pytest.raises(ArchiveUnreadable) as raised:
        archive.list(persistent_volume_claim.RESOURCE, "shop")
    assert str(raised.value).startswith(
        "persistentvolumeclaims/namespaces/shop/other.json of the backup: cannot read it: "
    )
    assert "HINT: the archive may have been truncated" in str(raised.value)


def test_the_names_of_objects_lead_to_no_other_place(tmp_path: Path) -> None:
    backup(tmp_path / "0001")
    (tmp_path / "secret.json").write_bytes(orjson.dumps(claim()))
    archive = ExtractedBackups(tmp_path).of_restore("r", claim())
    assert not archive.holds(CLAIM.renamed("../../../../../secret"))
