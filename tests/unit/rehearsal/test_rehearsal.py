"""A rehearsal of `examples/`."""

from collections import Counter

import pytest

from stillpoint.model import item as it
from stillpoint.model.level import Level
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.velero_steps.backup import BackupResult
from stillpoint.rehearsal.velero_steps.restore import RestoreResult
from stillpoint.rehearsal.verdict.verdict import Verdict
from tests.unit.rehearsal import examples
from tests.unit.rehearsal.examples import rehearsed


@pytest.fixture(scope="module")
def found() -> Rehearsal:
    return rehearsed(examples.objects())


def of(found: Rehearsal, name: str) -> Machine:
    return examples.machine(found, name)


COLLECTED = [
    item
    for item in examples.objects()
    if it.namespace(item) or item["kind"] in ("Namespace", "PersistentVolume")
]
"""Velero excludes snapshots by itself, and so no longer takes other cluster-scoped resources."""


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
    assert len(members) == len(set(members)) == len(COLLECTED)
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
    assert len(found.restored) == len(COLLECTED)


def test_a_skipped_item_says_why(found: Rehearsal) -> None:
    whys = {one.reference.resource: one.why for one in found.restored if one.why}
    assert whys == {
        "pods": "not restored: KubeVirt recreates it",
        "virtualmachineinstances": "not restored: its owner recreates it",
        "persistentvolumes": "recreated with its claim",
    }


def test_what_the_backup_added_is_taken_off_again(found: Rehearsal) -> None:
    changed = {(one.reference.resource, path) for one in found.restored for path in one.changed}
    assert changed == {
        ("persistentvolumeclaims", "metadata.labels.velero.kubevirt.io/pvc-uid"),
        # what CDI filled the claims from does not exist, and would never do so again
        ("persistentvolumeclaims", "metadata.annotations.cdi.kubevirt.io/storage.usePopulator"),
        ("persistentvolumeclaims", "spec.dataSource"),
        ("persistentvolumeclaims", "spec.dataSourceRef"),
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
        one.reference.name: (
            one.state,
            one.judged.verdict,
            one.judged.level,
            len(one.disks),
            len(one.hotplugged),
        )
        for one in found.machines
    }
    assert told == {
        "archive": ("Stopped", Verdict.READY, Level.STOPPED, 2, 0),
        "db": ("Running", Verdict.READY, Level.FILESYSTEM, 2, 0),
        "legacy": ("Running", Verdict.DEGRADED, Level.CRASH, 1, 0),
        "reports": ("Running", Verdict.DEGRADED, Level.MIXED, 2, 0),
        "web": ("Running", Verdict.READY, Level.FILESYSTEM, 2, 1),
    }


def test_the_plugin_reads_lists_however_many_machines_there_are(found: Rehearsal) -> None:
    assert found.requests <= 19


def test_only_the_selected_namespaces_are_backed_up() -> None:
    other = [it.with_value(item, "other", "metadata", "namespace") for item in examples.objects()]
    objects = examples.objects() + [one for one in other if one["kind"] == "Secret"]
    found = rehearsed(objects, "shop")
    assert {one.namespace for one in found.backup.items} == {"shop", ""}
    cluster_scoped = {one.resource for one in found.backup.items if not one.namespace}
    assert cluster_scoped == {"namespaces", "persistentvolumes"}
    assert len(rehearsed(objects, "other").backup.items) == 4


def test_a_namespace_that_is_not_there_is_refused() -> None:
    with pytest.raises(NothingToRehearse, match=r"namespace shpo: .*HINT: there are .*shop"):
        rehearsed(examples.objects(), "shpo")


def test_a_data_volume_that_cdi_removed_is_not_missed() -> None:
    objects = [one for one in examples.objects() if one["kind"] != "DataVolume"]
    for claim in objects:
        claim["metadata"].pop("ownerReferences", None)
    assert of(rehearsed(objects), "archive").judged.verdict is Verdict.READY


def test_an_item_that_the_plugin_refuses_is_an_error_of_its_machine() -> None:
    objects = examples.objects()
    item = examples.find(objects, "VirtualMachine", "db")
    objects[objects.index(item)] = it.with_value(item, None, "spec", "template")
    found = rehearsed(objects)
    machine = of(found, "db")
    assert examples.codes(machine) == {"unreadable"}
    assert "spec.template.spec is None, not an object" in machine.judged.findings[0].sentence
    assert machine.reference not in found.backup.stored
    assert machine.judged.verdict is Verdict.BLOCKED
    assert of(found, "web").judged.verdict is Verdict.READY
