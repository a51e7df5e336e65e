"""The switch by which the plugin takes the snapshots: policies, and an annotation of the Backup."""

from typing import Any

import pytest

from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.velero.volumes import snapshotter
from stillpoint.velero.volumes.fates import Fates
from stillpoint.velero.volumes.policy import Fate, Policy

CLAIM: Item = {"metadata": {"name": "db", "namespace": "shop"}}


def fates(policies: str = "", pods: tuple[Item, ...] = (), **backup: Any) -> Fates:
    """Of a backup with this spec and annotation, and with these volume policies."""
    annotations = {snapshotter.ANNOTATION: backup.pop("asks")} if "asks" in backup else {}
    metadata = {"namespace": "velero", "name": "nightly", "annotations": annotations}
    request = {"kind": "Backup", "metadata": metadata, "spec": backup}
    return Fates(request, policy(policies), lambda _name: None, lambda _claim: pods)


def policy(policies: str) -> Policy:
    text = f"{{version: v1, volumePolicies: [{policies}]}}"
    metadata = {"namespace": "velero", "name": "policies"}
    return Policy.parse({"kind": "ConfigMap", "metadata": metadata, "data": {"p": text}})


def action(parameters: str, kind: str = "custom") -> str:
    return f"{{conditions: {{}}, action: {{type: {kind}, parameters: {parameters}}}}}"


@pytest.mark.parametrize(
    ("parameters", "fate", "is_grouped"),
    [
        ("{snapshotter: stillpoint}", Fate.OWN, False),
        ("{snapshotter: stillpoint, group: false}", Fate.OWN, False),
        ("{snapshotter: stillpoint, group: true}", Fate.OWN, True),
        ("{datamover: kubevirt}", Fate.CUSTOM, False),
        ("{datamover: kubevirt, group: true}", Fate.CUSTOM, False),
        ("{snapshots: true, snapshot: a, 7: 8, mover: [stillpoint]}", Fate.CUSTOM, False),
        ("null", Fate.CUSTOM, False),
    ],
)
def test_a_custom_action_is_ours_by_its_parameter(
    parameters: str, fate: Fate, is_grouped: bool
) -> None:
    found = fates(action(parameters))
    assert (found.of(CLAIM), found.is_grouped(CLAIM)) == (fate, is_grouped)


@pytest.mark.parametrize(
    ("parameters", "cause"),
    [
        ("{snapshotter: stilpoint}", "snapshotter is 'stilpoint', and can only be 'stillpoint'"),
        ("{snapshotter: null}", "snapshotter is None, and can only be 'stillpoint'"),
        ("{snapshotter: [stillpoint]}", "snapshotter is ['stillpoint'], and can only be"),
        (
            "{snapshotter: stillpoint, groups: true}",
            "'groups' is no parameter: there are group, snapshotter",
        ),
        (
            "{snapshotter: stillpoint, group: 'true'}",
            "group is 'true', and can only be true or false",
        ),
        ("{snapshoter: stillpoint}", "'snapshoter' is no parameter: snapshotter: stillpoint"),
        ("{Snapshotter: still}", "'Snapshotter' is no parameter: snapshotter: stillpoint is meant"),
        ("{snapshooter: a}", "'snapshooter' is no parameter: snapshotter: stillpoint is meant"),
        ("{plugin: stillpoint}", "'plugin' is no parameter: snapshotter: stillpoint is meant"),
        ("{snapshotter: stillpoint, group: null}", "group is None, and can only be true or false"),
    ],
)
def test_a_parameter_without_meaning_fails_the_volumes_of_its_policy_alone(
    parameters: str, cause: str
) -> None:
    other = "{conditions: {pvcLabels: {a: b}}, action: {type: skip}}"
    found = fates(f"{other}, {action(parameters)}")
    with pytest.raises(Refusal) as error:
        found.of(CLAIM)
    assert str(error.value).startswith(
        "ConfigMap velero/policies: cannot obey the policies: "
        f"volumePolicies[1].action.parameters: {cause}"
    )
    labelled = {"metadata": {**CLAIM["metadata"], "labels": {"a": "b"}}}
    assert found.of(labelled) is Fate.SKIP
    with pytest.raises(Refusal, match="volumePolicies"):
        found.policy.check()


def test_the_parameter_of_an_action_of_velero_is_reported_and_changes_nothing() -> None:
    asked = action("{snapshotter: stillpoint}", "snapshot")
    assert fates(asked).of(CLAIM) is Fate.SNAPSHOT
    with pytest.raises(Refusal, match="has a meaning with type: custom alone, not with 'snapshot'"):
        policy(asked).check()


def test_an_action_of_no_type_or_with_a_misspelt_field_is_refused_as_by_velero() -> None:
    with pytest.raises(Refusal, match="'stillpoint' is no type of action: there are skip"):
        policy(action("{}", "stillpoint"))
    with pytest.raises(Refusal, match="'parameter' is no field of action"):
        policy("{conditions: {}, action: {type: custom, parameter: {}}}")


def test_the_annotation_asks_for_what_nothing_else_decides_about() -> None:
    mounting: Item = {
        "metadata": {"annotations": {"backup.velero.io/backup-volumes": "disk"}},
        "spec": {"volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "db"}}]},
    }
    assert fates(snapshotVolumes=False, asks="all").of(CLAIM) is Fate.OWN
    assert fates(snapshotVolumes=False).of(CLAIM) is Fate.SKIP
    by_policy = fates(action("null", "skip"), snapshotVolumes=False, asks="all")
    assert by_policy.of(CLAIM) is Fate.SKIP
    copied = fates(pods=(mounting,), snapshotVolumes=False, asks="all")
    assert copied.of(CLAIM) is Fate.FILE_SYSTEM


@pytest.mark.parametrize("spec", [{}, {"snapshotVolumes": True}, {"snapshotVolumes": None}])
def test_no_snapshot_is_ours_where_velero_takes_one(spec: Item) -> None:
    found = fates(**spec, asks="all")
    assert found.of(CLAIM) is Fate.SNAPSHOT
    with pytest.raises(Refusal, match=r"spec\.snapshotVolumes is not false, so Velero takes"):
        snapshotter.check(found.backup)


def test_an_annotation_without_meaning_names_the_backup_and_the_value_that_there_is() -> None:
    found = fates(snapshotVolumes=False, asks="every")
    for refused in (lambda: found.of(CLAIM), lambda: snapshotter.check(found.backup)):
        with pytest.raises(Refusal) as error:
            refused()
        assert str(error.value) == (
            "Backup velero/nightly: cannot obey its stillpoint.dev/snapshotter: it has no meaning "
            "with the value 'every'; HINT: set it to one of all"
        )


def test_a_good_annotation_or_none_passes() -> None:
    snapshotter.check(fates(snapshotVolumes=False, asks="all").backup)
    snapshotter.check(fates(snapshotVolumes=False).backup)
    snapshotter.check(fates().backup)
