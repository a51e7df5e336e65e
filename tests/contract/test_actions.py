"""What every action of the catalogue keeps, whatever its resource."""

import copy
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillpoint import catalogue
from stillpoint.calls.action import Entry, ItemBlockEntry, Kind, RestoreEntry, every
from stillpoint.model.api_resources import KNOWN
from stillpoint.model.errors import Forbidden, ReadFailed, StillpointError
from stillpoint.model.item import Item
from tests.contract.running_machine import ASK_NOTHING
from tests.unit.contexts import backup_context, restore_context
from tests.unit.dictionary_reader import DictionaryReader

ENTRIES = every(catalogue)
EVERY_ACTION = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)

NEED_ARCHIVE = {"stillpoint.dev/restore-virtual-machine-pool"}
"""Refused where the backup cannot be looked into: a pool is not made without its machines."""

# Fields that actions read, so that generated objects meet the code and not only its first check.
KEYS = st.sampled_from(
    "kind metadata name namespace uid labels annotations ownerReferences creationTimestamp spec "
    "template volumes dataVolume persistentVolumeClaim claimName memoryDump cloudInitNoCloud "
    "secretRef sysprep instancetype revisionName preference accessCredentials status created "
    "phase activePods volumeStatus hotplugVolume attachPodName source persistentVolumeClaimName "
    "instancetypeRef controllerRevisionRef kubevirt.io kubevirt.io/domain "
    "velero.kubevirt.io/pvc-uid velero.kubevirt.io/original-pvc-uid unknown".split()
)
WORDS = st.sampled_from(
    ["Succeeded", "Running", "true", "2026-05-01T08:00:00Z", "2026-05-01", "db"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
ITEMS = st.dictionaries(KEYS, JSON, max_size=8)


def call(entry: Entry, item: Item, reader: DictionaryReader) -> Any:
    if isinstance(entry, RestoreEntry):
        archive: list[Item] | None = [] if entry.name in NEED_ARCHIVE else None
        return entry.action.execute(item, restore_context({}, item, reader, archive=archive))
    context = backup_context({}, reader)
    if isinstance(entry, ItemBlockEntry):
        return entry.action.related_items(item, context)
    return entry.action.execute(item, context)


def running_machine() -> Item:
    """One object that every action can read as its own and has questions about."""
    volumes = [{"name": "root", "dataVolume": {"name": "root"}}]
    return {
        "kind": "VirtualMachine",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "uid": "1",
            "labels": {"kubevirt.io": "virt-launcher"},
            "ownerReferences": [{"kind": "DataVolume", "name": "root"}],
            "annotations": {"kubevirt.io/domain": "db"},
        },
        "spec": {
            "volumes": volumes,
            "template": {"spec": {"volumes": volumes, "domain": {"firmware": {"uuid": "u-1"}}}},
            "virtualMachineTemplate": {"spec": {"template": {"spec": {"volumes": volumes}}}},
            "source": {"persistentVolumeClaimName": "root"},
        },
        "status": {"created": True, "phase": "Succeeded"},
    }


def test_names_are_unique_within_a_kind_and_valid_for_velero() -> None:
    names = [(entry.kind, entry.name) for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for _kind, name in names:
        assert re.fullmatch(r"stillpoint\.dev/[a-z]([a-z-]{0,61}[a-z])", name)


def test_every_kind_is_there_once_and_only_in_its_newest_version() -> None:
    assert {entry.kind for entry in ENTRIES} == set(Kind)
    assert {kind.value for kind in Kind} == {
        "BackupItemActionV2", "RestoreItemActionV2", "ItemBlockAction",
    }  # fmt: skip


@EVERY_ACTION
def test_names_the_resources_that_it_is_for(entry: Entry) -> None:
    assert entry.action.APPLIES_TO.resources
    is_for_others = bool(entry.action.APPLIES_TO.excluded)
    assert ("*" in entry.action.APPLIES_TO.resources) is is_for_others
    assert set(entry.action.APPLIES_TO.resources) <= {"*", *(served.name for served in KNOWN)}


@EVERY_ACTION
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150, deadline=None)
@given(item=ITEMS)
def test_any_object_ends_in_an_answer_or_in_one_error_for_people(entry: Entry, item: Item) -> None:
    before = copy.deepcopy(item)
    try:
        call(entry, item, DictionaryReader([]))
    except StillpointError as error:
        assert all((error.subject, error.attempt, error.cause))  # noqa: PT017 - or an answer
    assert item == before, "the item that came in was changed"


@EVERY_ACTION
def test_a_question_that_the_cluster_does_not_answer_is_never_passed_over(entry: Entry) -> None:
    refused = Forbidden("pods in namespace shop", "cannot list", "403")
    reader = DictionaryReader([], failure=refused)
    try:
        call(entry, running_machine(), reader)
    except ReadFailed as error:
        assert error is refused  # noqa: PT017 - not every action asks
    else:
        assert not reader.questions, "asked, was refused, and answered all the same"
        assert isinstance(entry, RestoreEntry) or entry.name in ASK_NOTHING, (
            "it reads nothing about running_machine(): extend that, or name it in ASK_NOTHING"
        )


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if not isinstance(entry, ItemBlockEntry)],
    ids=lambda entry: entry.name,
)
@settings(max_examples=40, deadline=None)
@given(extra=JSON, big=st.integers(2**53 + 1, 2**63 - 1))
def test_what_no_rule_names_comes_out_as_it_went_in(entry: Entry, extra: Any, big: int) -> None:
    item = running_machine()
    item["newer"] = {"big": big, "extra": extra}
    item["spec"]["newer"] = [extra, big, None, "", "ünï©ode 🐎"]
    item["metadata"]["managedFields"] = [{"extra": extra}]
    out = call(entry, item, DictionaryReader([])).item
    for path in (("newer",), ("spec",), ("status",), ("kind",), ("metadata", "managedFields")):
        was: Any = item
        now: Any = out
        for key in path:
            was, now = was[key], now[key]
        assert now == was
    assert list(out) == list(item), "order of keys"
    assert list(out["metadata"])[: len(item["metadata"])] == list(item["metadata"])
