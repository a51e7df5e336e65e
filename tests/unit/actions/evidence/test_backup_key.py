"""The secret of a backup: drawn once, stored on the Backup, found again by the next process."""

import logging
from collections.abc import Callable

import pytest

from stillpoint.actions.backup import volume_snapshot
from stillpoint.actions.watching import backup_key
from stillpoint.evidence import observations
from stillpoint.evidence.sealed import Key
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.velero import seal_secret
from tests.unit.actions.evidence.world import (
    BACKUP,
    ENDED,
    KEY,
    SHOP,
    UID_KEY,
    WITHOUT_SECRET,
    observing,
    snapshot,
)
from tests.unit.dictionary_reader import DictionaryReader

DRAWN = Key("drawn")
GET = "get backups.velero.io velero/nightly"
PATCH = "patch backups.velero.io velero/nightly"


def world(backup: Item = WITHOUT_SECRET) -> DictionaryReader:
    return DictionaryReader([*SHOP, backup])


def stored(reader: DictionaryReader) -> Item:
    [found] = [one for one in reader.objects if one["kind"] == "Backup"]
    return found


def test_the_secret_is_on_the_backup_before_anything_bears_its_seal() -> None:
    reader = world()
    volume_snapshot.execute(snapshot(), observing(reader, WITHOUT_SECRET))
    assert next(one for one in reader.questions if one.startswith("patch")) == PATCH
    assert Key.of_backup(stored(reader)) == DRAWN
    [noted] = [one for one in reader.objects if one["kind"] == "VolumeSnapshot"]
    assert observations.cut(noted, DRAWN)


def test_it_costs_two_requests_in_a_backup() -> None:
    reader = world()
    context = observing(reader, WITHOUT_SECRET)
    assert backup_key.of(context) == backup_key.of(context) == DRAWN
    assert reader.questions == [GET, PATCH]


def test_a_process_in_place_of_one_that_was_killed_goes_on_with_its_secret() -> None:
    """Velero shows it the Backup as it was when the first process began."""
    reader = world(BACKUP)
    assert backup_key.of(observing(reader, WITHOUT_SECRET)) == KEY
    assert reader.questions == [GET]


def test_the_secret_of_a_copied_manifest_is_drawn_again() -> None:
    annotations = {seal_secret.ANNOTATION: "uid of the original.s1"}
    copy = it.with_value(WITHOUT_SECRET, annotations, "metadata", "annotations")
    reader = world(copy)
    assert backup_key.of(observing(reader, copy)) == DRAWN
    assert seal_secret.of(stored(reader)) == "drawn"


@pytest.mark.parametrize("phase", ["Finalizing", "WaitingForPluginOperations", ""])
def test_none_is_drawn_when_all_is_taken(phase: str) -> None:
    """All that was noted by then would bear no seal any more."""
    late = it.with_value(WITHOUT_SECRET, phase, "status", "phase")
    reader = world(late)
    assert backup_key.of(observing(reader, late)) == UID_KEY
    assert reader.questions == []


def gone(reader: DictionaryReader) -> None:
    reader.objects = [one for one in reader.objects if one["kind"] != "Backup"]


def made_anew(reader: DictionaryReader) -> None:
    gone(reader)
    reader.objects.append(it.with_value(WITHOUT_SECRET, "b2", "metadata", "uid"))


def unwritable(reader: DictionaryReader) -> None:
    reader.refused = {"velero/nightly"}


def unreadable(reader: DictionaryReader) -> None:
    reader.failure = Forbidden("backups", "cannot get", "the account has no right")


@pytest.mark.parametrize("trouble", [gone, made_anew, unwritable, unreadable])
def test_where_none_can_be_stored_the_uid_seals(
    trouble: Callable[[DictionaryReader], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reader = world()
    trouble(reader)
    assert backup_key.of(observing(reader, WITHOUT_SECRET)) == UID_KEY
    assert not reader.patches
    is_said = "sealed with the uid of the backup" in caplog.text
    assert is_said is (trouble in (unwritable, unreadable))


def test_the_secret_is_in_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Who may read a backup's log is not who may read the Backup."""
    caplog.set_level(logging.DEBUG)
    volume_snapshot.execute(snapshot(), observing(world(), WITHOUT_SECRET))
    assert "drawn" not in caplog.text


def test_the_evidence_of_a_backup_that_has_ended_is_sealed_with_its_secret() -> None:
    assert Key.of_backup(ENDED) == KEY
