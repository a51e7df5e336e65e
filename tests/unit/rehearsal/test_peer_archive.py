"""A backup that kubevirt-velero-plugin made, restored by ours through the real process."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from tests.unit.restoring import restored

ARCHIVE = Path(__file__).parent / "archives" / "peer.yaml"
SMALL: Item = {
    "apiVersion": "instancetype.kubevirt.io/v1beta1",
    "kind": "VirtualMachineClusterInstancetype",
    "metadata": {"name": "small"},
}


def objects() -> list[Item]:
    return list(yaml.safe_load_all(ARCHIVE.read_text()))


def asked(labels: Item | None = None, **annotations: str) -> Item:
    conditions = {f"stillpoint.dev/{key}": word for key, word in annotations.items()}
    metadata = {"name": "r", "namespace": "velero", "labels": labels or {}}
    return {"kind": "Restore", "metadata": metadata | {"annotations": conditions}, "spec": {}}


@pytest.fixture(scope="module")
def done() -> Mapping[str, RestoredItem]:
    return restored(objects(), asked(), [SMALL])


def created(done: Mapping[str, RestoredItem]) -> set[str]:
    return {name for name, one in done.items() if one.result is RestoreResult.CREATED}


def item(done: Mapping[str, RestoredItem], name: str) -> Item:
    found = done[name].item
    assert found is not None
    return found


def test_what_kubevirt_makes_anew_or_was_an_order_is_left_out(
    done: Mapping[str, RestoredItem],
) -> None:
    assert set(done) - created(done) == {
        "VirtualMachineInstance db",
        "VirtualMachineInstance gone",
        "PersistentVolumeClaim filling",
        "Pod virt-launcher-db-x",
        "Pod hp-volume-x",
        "VirtualMachineInstanceMigration evacuation",
    }


def test_a_machine_comes_back_after_all_that_it_needs_its_state_included(
    done: Mapping[str, RestoredItem],
) -> None:
    machine = item(done, "VirtualMachine db")
    [before] = [one for one in objects() if one["kind"] == "VirtualMachine"]
    assert machine["spec"] == before["spec"], "its addresses and UUID are nobody else's"
    assert done["VirtualMachine db"].missing == ()
    order = list(done)
    for name in (
        "ControllerRevision db-small-v1",
        "DataVolume db-root",
        "PersistentVolumeClaim persistent-state-for-db-x7k",
        "Secret db-init",
    ):
        assert name in order


def test_marks_of_the_backup_are_taken_off_and_those_of_the_user_given_back(
    done: Mapping[str, RestoredItem],
) -> None:
    claim = item(done, "PersistentVolumeClaim db-root")
    assert it.labels(claim) == {"velero.kubevirt.io/pvc-uid": "of-the-user"}
    assert it.labels(item(done, "PersistentVolumeClaim solo-root")) == {"app": "solo"}
    snapshot = item(done, "VolumeSnapshot nightly")
    assert it.labels(snapshot) == {"velero.kubevirt.io/pvc-uid": "of-the-user"}
    assert it.labels(item(done, "VirtualMachineInstance solo")) == {"app": "solo"}


def test_cdi_does_not_import_again_what_is_restored(done: Mapping[str, RestoredItem]) -> None:
    claim = item(done, "PersistentVolumeClaim db-root")
    assert it.annotations(claim)["cdi.kubevirt.io/storage.populatedFor"] == "db-root"
    assert "dataSourceRef" not in claim["spec"]
    filled = item(done, "DataVolume db-root")
    assert it.annotations(filled)["cdi.kubevirt.io/storage.prePopulated"] == "db-root"
    assert "cdi.kubevirt.io/storage.prePopulated" not in it.annotations(
        item(done, "DataVolume filling")
    )


def test_its_labels_on_the_restore_are_obeyed_for_machines_and_instances() -> None:
    labels = {
        "velero.kubevirt.io/restore-run-strategy": "Halted",
        "velero.kubevirt.io/clear-mac-address": "true",
        "velero.kubevirt.io/generate-new-firmware-uuid": "true",
    }
    done = restored(objects(), asked(labels), [SMALL])
    machine = item(done, "VirtualMachine db")["spec"]
    assert machine["runStrategy"] == "Halted"
    domain = machine["template"]["spec"]["domain"]
    assert domain["devices"]["interfaces"] == [{"name": "a"}]
    assert domain["firmware"]["uuid"] == "u-1"  # the state of its vTPM is found by it
    solo = item(done, "VirtualMachineInstance solo")["spec"]["domain"]
    assert solo["firmware"]["uuid"]


def test_one_machine_out_of_it_with_what_it_needs() -> None:
    assert created(restored(objects(), asked(only="db"), [SMALL])) == {
        "VirtualMachine db",
        "DataVolume db-root",
        "PersistentVolumeClaim db-root",
        "PersistentVolumeClaim persistent-state-for-db-x7k",
        "ControllerRevision db-small-v1",
        "Secret db-init",
        "VolumeSnapshot nightly",
    }


def test_an_archive_that_was_cut_short_is_an_error_of_its_machine_alone() -> None:
    broken = [one | {"spec": None} if one["kind"] == "VirtualMachine" else one for one in objects()]
    done = restored(broken, asked(), [SMALL])
    assert done["VirtualMachine db"].result is RestoreResult.FAILED
    assert "VirtualMachine shop/db: cannot read the object: spec" in done["VirtualMachine db"].why
    assert "VirtualMachineInstance solo" in created(done)
