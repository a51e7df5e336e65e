"""What speaks against a clone."""

from datetime import UTC, datetime

import pytest

from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.vm_snapshots import cloning
from stillpoint.vm_snapshots.cloning import CloneState, CloneWish
from stillpoint.vm_snapshots.requested import Outcome
from tests.unit.dictionary_reader import DictionaryReader
from tests.unit.rehearsal import examples
from tests.unit.vm_snapshots import test_reasons, test_restoring

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TPM = ("spec", "template", "spec", "domain", "devices", "tpm")


def known() -> list[Item]:
    """Machines of which KubeVirt has said what can be in a snapshot."""
    objects = examples.objects()
    machine = examples.find(objects, "VirtualMachine", "db")
    volumes = machine["spec"]["template"]["spec"]["volumes"]
    said = [{"name": one["name"], "enabled": True} for one in volumes]
    machine["status"]["volumeSnapshotStatuses"] = said
    return objects


def codes(objects: list[Item], target: str = "copy") -> set[str]:
    plan = cloning.of_machine(DictionaryReader(objects), "shop", "db", CloneWish(target), NOW)
    return {one.code for one in plan.findings}


@pytest.mark.parametrize("target", ["db", "web"])
def test_a_target_that_exists_is_refused(target: str) -> None:
    assert codes(known()) == set()
    assert codes(known(), target) == {"target-exists"}


def test_a_persistent_vtpm_is_refused() -> None:
    objects = known()
    test_reasons.put("VirtualMachine", "db", {"persistent": True}, *TPM)(objects)
    assert "persistent-state" in codes(objects)


def test_disks_of_which_kubevirt_has_not_spoken_are_named() -> None:
    objects = known()
    examples.find(objects, "VirtualMachine", "db")["status"]["volumeSnapshotStatuses"] = []
    plan = cloning.of_machine(DictionaryReader(objects), "shop", "db", CloneWish("copy"), NOW)
    [found] = plan.findings
    assert found.code == "support-not-said"
    assert found.about


def test_a_disk_that_a_snapshot_would_lack_keeps_a_machine_from_being_cloned() -> None:
    objects = known()
    test_reasons.without("VolumeSnapshotClass")(objects)
    plan = cloning.of_machine(DictionaryReader(objects), "shop", "db", CloneWish("copy"), NOW)
    assert plan.obstacles()


def test_a_snapshot_is_cloned_by_a_restore_with_its_obstacles() -> None:
    objects = test_restoring.objects()
    reader = DictionaryReader(list(objects.values()))
    assert cloning.of_snapshot(reader, "shop", "one", CloneWish("copy"), NOW).findings == []
    onto_itself = cloning.of_snapshot(reader, "shop", "one", CloneWish("db"), NOW)
    assert [one.code for one in onto_itself.findings] == ["target-exists"]
    del objects["cut"]
    reader = DictionaryReader(list(objects.values()))
    plan = cloning.of_snapshot(reader, "shop", "one", CloneWish("copy"), NOW)
    assert [one.code for one in plan.findings] == ["volume-snapshot-missing"]


@pytest.mark.parametrize("policy", ["", "RandomizeNames", "PrefixTargetName"])
def test_a_claim_that_exists_never_passes_for_a_disk_of_the_clone(policy: str) -> None:
    wish = CloneWish("copy", volume_names=policy)
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "copy-root", "namespace": "shop"},
    }
    of_machine, of_snapshot = [*known(), claim], [*test_restoring.objects().values(), claim]
    expected = ["claims-exist"] if policy == "PrefixTargetName" else []
    plan = cloning.of_machine(DictionaryReader(of_machine), "shop", "db", wish, NOW)
    assert [one.code for one in plan.findings] == expected
    plan = cloning.of_snapshot(DictionaryReader(of_snapshot), "shop", "one", wish, NOW)
    assert [one.code for one in plan.findings] == expected


def test_names_that_no_machine_has_are_errors() -> None:
    for target in ("No Name", "m" * 64):
        with pytest.raises(StillpointError):
            codes(known(), target)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ({"phase": "Succeeded"}, Outcome.COMPLETE),
        ({"phase": "Failed"}, Outcome.FAILED),
        ({"phase": "SnapshotInProgress"}, Outcome.UNDER_WAY),
        ({"phase": "Someday"}, Outcome.UNDER_WAY),
        ({}, Outcome.UNDER_WAY),
    ],
)
def test_outcomes_by_phase(status: Item, outcome: Outcome) -> None:
    assert CloneState({"metadata": {"name": "one"}, "status": status}).outcome is outcome
