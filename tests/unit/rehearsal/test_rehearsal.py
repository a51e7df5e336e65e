"""A rehearsal of `examples/`, through the real plugin process."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Reference
from plugin.rehearsal.backup import BackupResult
from plugin.rehearsal.errors import NothingToRehearse
from plugin.rehearsal.machines import Cut, Machine
from plugin.rehearsal.rehearsal import Rehearsal, rehearse
from plugin.rehearsal.restore import RestoreResult
from tests.unit.rehearsal import examples

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def found() -> Rehearsal:
    return rehearse(examples.objects(), (), NOW)


def of(found: Rehearsal, name: str) -> Machine:
    (machine,) = (one for one in found.machines if one.reference.name == name)
    return machine


def shown(references: tuple[Reference, ...]) -> set[str]:
    """`pods virt-launcher-db`: volumes without their uid, pods without their suffix."""
    return {
        f"{one.resource} {one.name[:3] if one.resource == 'persistentvolumes' else one.name}"
        if one.resource != "pods"
        else f"pods {one.name.rpartition('-')[0]}"
        for one in references
    }


BLOCKS = {
    "db": {
        "virtualmachines db",
        "virtualmachineinstances db",
        "pods virt-launcher-db",
        "persistentvolumeclaims db-root",
        "datavolumes db-root",
        "persistentvolumeclaims db-data",
        "datavolumes db-data",
        "persistentvolumes pvc",
    },
    "web": {
        "virtualmachines web",
        "virtualmachineinstances web",
        "pods virt-launcher-web",
        "pods hp-volume",
        "persistentvolumeclaims web-root",
        "datavolumes web-root",
        "persistentvolumeclaims web-uploads",
        "datavolumes web-uploads",
        "persistentvolumes pvc",
    },
    "archive": {"virtualmachines archive"},
    "legacy": {
        "virtualmachines legacy",
        "virtualmachineinstances legacy",
        "pods virt-launcher-legacy",
        "persistentvolumeclaims legacy-disk",
        "persistentvolumes pvc",
    },
    "reports": {
        "virtualmachines reports",
        "virtualmachineinstances reports",
        "pods virt-launcher-reports",
        "persistentvolumeclaims reports-root",
        "datavolumes reports-root",
        "persistentvolumeclaims persistent-state-for-reports-e8c50",
        "persistentvolumes pvc",
    },
}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_block_of_a_machine_is_all_that_one_freeze_must_cover(
    found: Rehearsal, name: str
) -> None:
    assert shown(of(found, name).block) == BLOCKS[name]


def test_every_item_is_in_one_block(found: Rehearsal) -> None:
    members = [reference for block in found.backup.blocks for reference in block.items]
    assert len(members) == len(set(members)) == len(examples.objects())
    assert [block.errors for block in found.backup.blocks if block.errors] == []


def test_a_block_begins_with_the_pod_whose_hook_freezes(found: Rehearsal) -> None:
    first = found.backup.blocks[0].items[0]
    assert first.resource == "pods"
    longest = max(found.backup.blocks, key=lambda block: len(block.items))
    assert shown(longest.items) == BLOCKS["web"]


def test_everything_is_stored_and_marked(found: Rehearsal) -> None:
    assert {one.result for one in found.backup.items.values()} == {BackupResult.STORED}
    stored = {(one.resource, one.name): item for one, item in found.backup.stored.items()}
    claim = stored["persistentvolumeclaims", "db-data"]
    assert it.labels(claim)["velero.kubevirt.io/pvc-uid"] == it.uid(claim)
    machine = stored["virtualmachines", "db"]
    assert machine["spec"]["instancetype"]["revisionName"].startswith("db-u1.medium-v1beta1-")
    instance = stored["virtualmachineinstances", "db"]
    assert it.annotations(instance)["cdi.kubevirt.io/velero.isOwned"] == "true"


def test_a_restore_skips_what_is_made_anew_and_creates_the_rest(found: Rehearsal) -> None:
    skipped = Counter(
        one.reference.resource for one in found.restored if one.result is RestoreResult.SKIPPED
    )
    assert skipped == {"pods": 5, "virtualmachineinstances": 4, "persistentvolumes": 9}
    others = [one for one in found.restored if one.result is not RestoreResult.SKIPPED]
    assert {one.result for one in others} == {RestoreResult.CREATED}
    assert len(found.restored) == len(examples.objects())


def test_a_skipped_item_says_why(found: Rehearsal) -> None:
    whys = {one.reference.resource: one.why for one in found.restored if one.why}
    assert whys == {
        "pods": "not restored: KubeVirt makes it anew",
        "virtualmachineinstances": "not restored: its owner makes it anew",
        "persistentvolumes": "made anew with its claim, from the snapshot",
    }


def test_what_the_backup_added_is_taken_off_again(found: Rehearsal) -> None:
    changed = {(one.reference.resource, path) for one in found.restored for path in one.changed}
    assert changed == {
        ("persistentvolumeclaims", "metadata.labels.velero.kubevirt.io/pvc-uid"),
        ("virtualmachines", "metadata.annotations.stillpoint.dev/needs-from-cluster"),
        ("virtualmachines", "metadata.annotations.stillpoint.dev/state-claims"),
    }


def test_what_is_created_is_nothing_but_itself(found: Rehearsal) -> None:
    for one in found.restored:
        assert (one.item is None) is (one.result is RestoreResult.SKIPPED)
        if one.item:
            assert "status" not in one.item
            assert {"uid", "ownerReferences", "resourceVersion"}.isdisjoint(one.item["metadata"])


def test_claims_come_before_data_volumes_and_both_before_machines(found: Rehearsal) -> None:
    order = [one.reference.resource for one in found.restored]
    last_claim = max(i for i, one in enumerate(order) if one == "persistentvolumeclaims")
    assert last_claim < order.index("datavolumes") < order.index("virtualmachines")
    assert order[0] == "namespaces"


def test_the_machines_are_told_from_what_the_objects_show(found: Rehearsal) -> None:
    told = {
        one.reference.name: (one.state, one.cut, len(one.disks), len(one.hotplugged))
        for one in found.machines
    }
    assert told == {
        "archive": ("Stopped", Cut.STOPPED, 2, 0),
        "db": ("Running", Cut.FROZEN, 2, 0),
        "legacy": ("Running", Cut.CRASH, 1, 0),
        "reports": ("Running", Cut.FROZEN, 1, 0),
        "web": ("Running", Cut.FROZEN, 2, 1),
    }
    assert of(found, "legacy").cut_why == "no guest agent"
    assert all(one.is_safe for one in found.machines)


def test_the_plugin_reads_lists_however_many_machines_there_are(found: Rehearsal) -> None:
    assert found.requests <= 6


def test_only_the_selected_namespaces_are_backed_up() -> None:
    other = [it.with_value(item, "other", "metadata", "namespace") for item in examples.objects()]
    objects = examples.objects() + [one for one in other if one["kind"] == "Secret"]
    found = rehearse(objects, ["shop"], NOW)
    assert {one.namespace for one in found.backup.items} == {"shop", ""}
    cluster_scoped = {one.resource for one in found.backup.items if not one.namespace}
    assert cluster_scoped == {"namespaces", "persistentvolumes"}
    assert len(rehearse(objects, ["other"], NOW).backup.items) == 4


def test_a_namespace_that_is_not_there_is_refused() -> None:
    with pytest.raises(NothingToRehearse, match=r"namespace shpo: .*HINT: there are shop"):
        rehearse(examples.objects(), ["shpo"], NOW)


def changed(kind: str, name: str, *, value: object, path: tuple[str, ...]) -> list[Item]:
    objects = examples.objects()
    item = examples.find(objects, kind, name)
    objects[objects.index(item)] = it.with_value(item, value, *path)
    return objects


def test_without_the_hook_nothing_freezes() -> None:
    path = ("metadata", "annotations")
    machine = of(rehearse(changed("Pod", "virt-launcher-db-", value={}, path=path), (), NOW), "db")
    assert (machine.cut, machine.cut_why) == (Cut.CRASH, "no freeze hook on a launcher pod")


def test_a_disk_that_is_left_out_is_outside_of_the_freeze() -> None:
    excluded = {"velero.io/exclude-from-backup": "true"}
    path = ("metadata", "labels")
    objects = changed("PersistentVolumeClaim", "web-uploads", value=excluded, path=path)
    machine = of(rehearse(objects, (), NOW), "web")
    assert (machine.cut, machine.cut_why) == (Cut.MIXED, "outside of the block: web-uploads")
    missing = {str(one) for one in machine.missing}
    assert missing == {"persistentvolumeclaims shop/web-uploads"}
    assert not machine.is_safe


def test_a_secret_that_is_left_out_is_missed() -> None:
    objects = [one for one in examples.objects() if it.name(one) != "db-cloud-init"]
    machine = of(rehearse(objects, (), NOW), "db")
    assert [str(one) for one in machine.missing] == ["secrets shop/db-cloud-init"]
    assert not machine.is_safe


def test_a_data_volume_that_cdi_removed_is_not_missed() -> None:
    objects = [one for one in examples.objects() if one["kind"] != "DataVolume"]
    for claim in objects:
        claim["metadata"].pop("ownerReferences", None)
    assert of(rehearse(objects, (), NOW), "archive").is_safe


def test_an_item_that_the_plugin_refuses_is_an_error_of_its_machine() -> None:
    objects = changed("VirtualMachine", "db", value=None, path=("spec", "template"))
    found = rehearse(objects, (), NOW)
    machine = of(found, "db")
    cause = "cannot read the object: spec.template.spec is None, not an object"
    assert machine.errors[0] == f"VirtualMachine shop/db: {cause}"
    assert all(cause in error for error in machine.errors)
    assert machine.reference not in found.backup.stored
    assert not machine.is_safe
    assert of(found, "web").is_safe
