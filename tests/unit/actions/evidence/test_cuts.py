"""When the snapshot of each disk was cut, on the object that holds its bytes."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from stillpoint.actions.backup import (
    persistent_volume,
    persistent_volume_claim,
    volume_snapshot,
)
from stillpoint.actions.backup.evidence import cuts
from stillpoint.actions.item_block import virtual_machine_instance as block
from stillpoint.actions.watching import observer
from stillpoint.evidence import observations
from stillpoint.evidence.document import Subject
from stillpoint.evidence.observations import Cut, Method
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.velero.context import BackupContext
from tests.unit.actions.evidence.world import (
    BACKUP,
    KEY,
    SHOP,
    claim,
    instance,
    launcher,
    machine,
    observing,
    snapshot,
    upload,
    volumes,
)
from tests.unit.contexts import NOW, Hands, backup_context
from tests.unit.dictionary_reader import DictionaryReader

SECOND = timedelta(seconds=1)
STARTED = datetime.fromisoformat("2026-05-04T11:59:00Z")
CLAIM = Subject("PersistentVolumeClaim", "db-root", "claim-db-root")
MOVING: Item = {**BACKUP, "spec": {"snapshotMoveData": True}}
PATCH = "patch volumesnapshots.snapshot.storage.k8s.io shop/velero-db-root-x"


def noted(reader: DictionaryReader, kind: str = "VolumeSnapshot") -> Cut | None:
    [item] = [one for one in reader.objects if one["kind"] == kind]
    return observations.cut(item, KEY)


def test_a_snapshot_by_velero_was_cut_after_the_call_before_and_before_this_one() -> None:
    reader, hands = DictionaryReader(SHOP), Hands()
    context = observing(reader, hands=hands)
    block.related_items(instance(), context)
    hands.sleep(7)
    volume_snapshot.execute(snapshot(), context)
    assert noted(reader) == Cut(
        claim=CLAIM,
        not_before=NOW,
        not_after=NOW + timedelta(seconds=7),
        in_block_of=("db",),
        driver="fast.io",
        handle="s-1",
        created=datetime.fromisoformat("2026-05-04T12:00:01Z"),
        machines=("db",),
        snapshot="snapshot-db-root",
    )
    [watched] = observer.of(context).guests_of("shop", "db-root")  # type: ignore[union-attr]
    assert watched.last_before("db-data", is_in_block=True) == NOW + timedelta(seconds=7), (
        "the bound of the next"
    )
    observer.end_all(10)


def test_a_disk_is_in_the_block_of_one_guest_and_its_cut_no_bound_in_that_of_another() -> None:
    """Blocks go on side by side, and this disk has been moved since the first of them was built."""
    sharing = instance("web")
    sharing["spec"]["volumes"] = volumes("web-root", "db-root")
    reader, hands = DictionaryReader([*SHOP, sharing, launcher("web")]), Hands()
    context = observing(reader, hands=hands)
    for guest in (instance(), sharing):
        block.related_items(guest, context)
    hands.sleep(7)
    volume_snapshot.execute(snapshot(), context)
    cut = noted(reader)
    assert cut
    assert (cut.in_block_of, cut.machines, cut.not_before) == (("db",), ("db", "web"), NOW)
    [web] = observer.of(context).guests_of("shop", "web-root")  # type: ignore[union-attr]
    assert web.last_before("web-root", is_in_block=True) == NOW
    observer.end_all(10)


def test_of_a_disk_in_no_block_of_the_guest_the_call_before_is_no_bound() -> None:
    reader, hands = DictionaryReader(SHOP), Hands()
    context = observing(reader, hands=hands)
    block.related_items(instance(), context)
    hands.sleep(7)
    volume_snapshot.execute(snapshot(), context)
    [watched] = observer.of(context).guests_of("shop", "db-root")  # type: ignore[union-attr]
    assert watched.last_before("db-late", is_in_block=False) == NOW
    watched.come_to("db-late", NOW + 3 * SECOND)
    assert watched.last_before("db-late", is_in_block=False) == NOW + 3 * SECOND
    observer.end_all(10)


def test_velero_comes_to_the_volume_right_before_it_asks_for_the_snapshot() -> None:
    reader, hands = DictionaryReader(SHOP), Hands()
    context = observing(reader, hands=hands)
    block.related_items(instance(), context)
    hands.sleep(7)
    volume = {"kind": "PersistentVolume", "metadata": {"name": "pv-db-root"}, "spec": {}}
    volume["spec"] = {"claimRef": {"namespace": "shop", "name": "db-root"}}
    assert persistent_volume.execute(volume, context).item is volume
    hands.sleep(5)
    volume_snapshot.execute(snapshot(), context)
    cut = noted(reader)
    assert cut
    assert (cut.not_before, cut.not_after) == (NOW + 7 * SECOND, NOW + 12 * SECOND)
    observer.end_all(10)


def test_a_snapshot_by_the_plugin_has_its_own_bounds() -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader)
    asked, seen = NOW - timedelta(seconds=3), NOW - timedelta(seconds=2)
    context.snapshots.note_bounds("claim-db-root", asked, seen)
    volume_snapshot.execute(snapshot(), context)
    cut = noted(reader)
    assert cut
    assert (cut.not_before, cut.not_after, cut.in_block_of) == (asked, seen, ())


def test_of_a_disk_that_no_watched_guest_has_the_backup_s_begin_is_the_bound() -> None:
    reader = DictionaryReader(SHOP)
    volume_snapshot.execute(snapshot(), observing(reader))
    cut = noted(reader)
    assert cut
    assert (cut.not_before, cut.machines, cut.in_block_of) == (STARTED, (), ())


def of_group(of: str, group: str = "velero-all-x") -> Item:
    """A member of a group of Velero's own."""
    return it.with_value(snapshot(of), group, "status", "volumeGroupSnapshotName")


Meanwhile = Callable[[DictionaryReader, BackupContext], None]


def cut_of_member(*others: Item, then: Meanwhile = lambda _reader, _context: None) -> Cut:
    """The cut of the second of two disks of a guest, both of one group, beside other snapshots."""
    two = volumes("db-root", "db-data")
    guest, pod = instance(), launcher()
    guest["spec"]["volumes"] = pod["spec"]["volumes"] = two
    members = of_group("db-root"), of_group("db-data")
    claims = claim(), claim("db-data"), claim("web-root")
    reader, hands = DictionaryReader([machine(), guest, pod, *claims, *members, *others]), Hands()
    context = observing(reader, hands=hands)
    block.related_items(guest, context)
    for one in members:
        hands.sleep(7)
        volume_snapshot.execute(one, context)
        then(reader, context)
    observer.end_all(10)
    [item] = [one for one in reader.objects if it.name(one) == it.name(members[1])]
    found = observations.cut(item, KEY)
    assert found
    return found


def test_of_a_group_of_snapshots_the_begin_of_the_block_is_the_bound_of_all() -> None:
    """Velero takes them all at the first."""
    found = cut_of_member(snapshot("web-root"), of_group("web-root", "another"))
    assert (found.not_before, found.in_block_of) == (NOW, ("db",))
    assert found.not_after == NOW + timedelta(seconds=14)


def test_a_group_with_a_disk_of_another_block_may_be_taken_before_the_hook() -> None:
    found = cut_of_member(of_group("web-root"))
    assert (found.not_before, found.in_block_of) == (STARTED, ())


def test_who_deletes_a_member_later_hides_it_from_nobody() -> None:
    last = of_group("last-root", "another")

    def delete(reader: DictionaryReader, context: BackupContext) -> None:
        reader.objects = [one for one in reader.objects if it.name(one) != "velero-web-root-x"]
        reader.objects += [claim("last-root"), last]
        volume_snapshot.execute(last, context)  # for which the snapshots are listed again

    found = cut_of_member(of_group("web-root"), then=delete)
    assert (found.not_before, found.in_block_of) == (STARTED, ())


def test_the_members_of_a_group_are_read_once() -> None:
    asked: list[list[str]] = []
    cut_of_member(then=lambda reader, _context: asked.append(list(reader.questions)))
    assert [each.count(f"list {kinds.VOLUME_SNAPSHOT} shop") for each in asked] == [1, 1]


def test_members_that_cannot_be_read_may_be_of_any_block() -> None:
    class Refusing(DictionaryReader):
        def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
            if resource == kinds.VOLUME_SNAPSHOT:
                raise Forbidden("volumesnapshots", "cannot list", "the account has no right")
            return super().list(resource, namespace, labels)

    reader = Refusing([*SHOP[:4], of_group("db-root")])
    context = observing(reader)
    block.related_items(instance(), context)
    volume_snapshot.execute(of_group("db-root"), context)
    observer.end_all(10)
    found = noted(reader)
    assert found
    assert (found.not_before, found.in_block_of) == (STARTED, ())


def test_moved_data_of_a_group_has_the_bounds_of_the_group() -> None:
    labelled = it.with_value(
        claim(**{"velero.io/data-upload-name": "velero/nightly-db-root"}),
        {"velero.io/volume-group": "all"},
        "metadata",
        "labels",
    )
    volume = {"kind": "PersistentVolume", "metadata": {"name": "pv-db-root"}, "spec": {}}
    for others, bounds in (((), (NOW, ("db",))), ((of_group("web-root"),), (STARTED, ()))):
        objects = [*SHOP[:4], upload(), volume, of_group("db-root"), *others]
        reader = DictionaryReader(objects)
        context = observing(reader, MOVING)
        block.related_items(instance(), context)
        persistent_volume_claim.execute(labelled, context)
        observer.end_all(10)
        found = noted(reader, "DataUpload")
        assert found
        assert (found.not_before, found.in_block_of) == bounds


@pytest.mark.parametrize(
    ("of", "backup"),
    [
        (snapshot(backup="other"), BACKUP),
        (snapshot(), {**BACKUP, "status": {"phase": "Finalizing"}}),
    ],
)
def test_a_snapshot_of_somebody_else_and_the_end_of_a_backup_note_nothing(
    of: Item, backup: Item
) -> None:
    reader = DictionaryReader([*SHOP[:4], of])
    outcome = volume_snapshot.execute(of, observing(reader, backup))
    assert not reader.patches
    assert outcome.operation == ""


def test_a_rehearsal_notes_nothing() -> None:
    reader = DictionaryReader(SHOP)
    volume_snapshot.execute(snapshot(), backup_context(BACKUP, reader))
    assert not reader.patches


def test_a_note_that_fails_fails_no_snapshot(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reader = DictionaryReader(SHOP)
    reader.refused = {"shop/velero-db-root-x"}
    volume_snapshot.execute(snapshot(), observing(reader))
    assert "evidence of it is incomplete" in caplog.text
    assert PATCH in reader.questions


def test_a_note_that_fails_when_it_is_stored_is_no_error_of_the_backup(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Velero counts the lines of errors: with a single one its backup is PartiallyFailed."""
    caplog.set_level(logging.INFO)
    reader, later = DictionaryReader(SHOP), list[Callable[[], None]]()
    reader.refused = {"shop/velero-db-root-x"}
    volume_snapshot.execute(snapshot(), replace(observing(reader), note=later.append))
    for task in later:
        task()
    [told] = caplog.records
    assert told.levelno == logging.INFO
    assert told.getMessage().startswith("evidence of it is incomplete: shop/velero-db-root-x: ")


def test_moved_data_has_the_cut_on_its_upload() -> None:
    stored = claim(**{"velero.io/data-upload-name": "velero/nightly-db-root"})
    volume = {"kind": "PersistentVolume", "metadata": {"name": "pv-db-root"}, "spec": {}}
    reader = DictionaryReader([*SHOP, upload(), volume])
    persistent_volume_claim.execute(stored, observing(reader, MOVING))
    cut = noted(reader, "DataUpload")
    assert cut
    assert (cut.claim, cut.method, cut.not_after) == (CLAIM, Method.MOVED, NOW)


@pytest.mark.parametrize(
    "backup", [BACKUP, {**MOVING, "spec": {"snapshotMoveData": True, "snapshotVolumes": False}}]
)
def test_the_name_of_an_upload_that_a_tenant_wrote_changes_no_upload(backup: Item) -> None:
    stored = claim(**{"velero.io/data-upload-name": "velero/nightly-db-root"})
    reader = DictionaryReader([*SHOP, upload()])
    persistent_volume_claim.execute(stored, observing(reader, backup))
    assert not reader.patches


def test_an_upload_of_the_plugin_is_made_with_the_cut() -> None:
    reader = DictionaryReader(SHOP)
    context = observing(reader, MOVING)
    before, after = NOW - timedelta(minutes=3), NOW - timedelta(minutes=2)
    context.snapshots.note_bounds("claim-db-root", before, after)
    made = cuts.of_own_upload(claim(), upload(), context)
    cut = observations.cut(made, KEY)
    assert cut
    assert cut.method is Method.MOVED
    assert (cut.not_before, cut.not_after, cut.uploaded) == (before, after, NOW)
    assert not reader.patches


def test_an_upload_of_the_plugin_is_made_without_a_cut_that_cannot_be_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    broken: Item = {**claim(), "metadata": {"namespace": "shop"}}
    context = observing(DictionaryReader(SHOP), MOVING)
    assert cuts.of_own_upload(broken, upload(), context) == upload()
    assert "evidence of it is incomplete" in caplog.text


def test_no_call_waits_until_a_cut_is_stored() -> None:
    """A guest may stand still."""
    reader, later = DictionaryReader(SHOP), list[Callable[[], None]]()
    context = replace(observing(reader), note=later.append)
    volume_snapshot.execute(snapshot(), context)
    assert not reader.patches
    for task in later:
        task()
    assert noted(reader)
