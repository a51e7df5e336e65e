"""What becomes of volumes under policies, by our code and by Velero's own.

Velero's side is Go, in tests/peers/velero/cmd/filters.
"""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stillpoint.actions import policies
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.velero.volumes import snapshotter
from stillpoint.velero.volumes.policy import Fate
from tests.unit.contexts import backup_context
from tests.unit.dictionary_reader import DictionaryReader
from tests.wire.test_filters_like_velero import lists_of, specs
from tests.wire.velero_filters import Velero

CLASSES = ["fast", "slow", ""]
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["a", "b"]), max_size=2)
MODES = ["ReadWriteOnce", "ReadWriteMany"]
SIZES = ["1Gi", "5Gi", "1.5G", "10Gi", "0"]
SOURCES = [
    {"csi": {"driver": "a.io", "volumeHandle": "1", "volumeAttributes": {"pool": "x"}}},
    {"csi": {"driver": "b.io", "volumeHandle": "1"}},
    {"nfs": {"server": "files", "path": "/a"}},
    {"nfs": {"server": "files", "path": "/b"}},
    {"hostPath": {"path": "/a"}},
    {"local": {"path": "/a"}},
    {"iscsi": {"targetPortal": "a", "iqn": "a", "lun": 0}},
    {"storageos": {}},
    {},
]

claims = st.builds(
    lambda labels, phase, bound, mode, access: {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "db", "namespace": "shop", "labels": labels},
        "spec": {"volumeName": bound, "volumeMode": mode, "accessModes": access},
        "status": {"phase": phase},
    },
    LABELS,
    st.sampled_from(["Bound", "Bound", "Bound", "Pending", "Lost", ""]),
    st.sampled_from(["pv", "pv", "pv", "gone", ""]),
    st.sampled_from(["Block", "Filesystem"]),
    st.lists(st.sampled_from(MODES), max_size=3),
)
volumes = st.builds(
    lambda size, storage_class, source: {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "pv"},
        "spec": {
            "capacity": {"storage": size},
            "storageClassName": storage_class,
            "claimRef": {"namespace": "shop", "name": "db"},
            **source,
        },
    },
    st.sampled_from(SIZES),
    st.sampled_from(CLASSES),
    st.sampled_from(SOURCES),
)
annotations = st.dictionaries(
    st.sampled_from(
        ["backup.velero.io/backup-volumes", "backup.velero.io/backup-volumes-excludes"]
    ),
    st.sampled_from(["disk", "other", "other,disk", "disks", ""]),
    max_size=2,
)
pods = st.lists(
    st.builds(
        lambda annotations, phase, claim: {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "virt-launcher",
                "namespace": "shop",
                "labels": {"kubevirt.io": "virt-launcher"},
                "annotations": annotations,
            },
            "spec": {"volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}]},
            "status": {"phase": phase},
        },
        annotations,
        st.sampled_from(["Running", "Succeeded"]),
        st.sampled_from(["db", "db", "strange"]),
    ),
    max_size=2,
)

bounds = st.sampled_from(["", "1Gi", "5Gi", "1500M", "1500000k", "10Gi", " 5Gi "])
CONDITIONS = {
    "capacity": st.tuples(bounds, bounds).map(",".join) | st.sampled_from(["", "1Gi", ",x", None]),
    "storageClass": lists_of(st.sampled_from(CLASSES)),
    "nfs": st.sampled_from([{}, {"server": "files"}, {"path": "/a"}, {"server": "x"}, None]),
    "csi": st.sampled_from(
        [
            {},
            {"driver": "a.io"},
            {"driver": "a.io", "volumeAttributes": {"pool": "x"}},
            {"driver": "a.io", "volumeAttributes": {"other": ""}},
            {"driver": "b.io", "volumeAttributes": {"pool": "x"}},
            {"driver": "b.io", "volumeAttributes": {"pool": ""}},
            {"volumeAttributes": {"pool": "x"}},
            None,
        ]
    ),
    "volumeTypes": lists_of(st.sampled_from(["csi", "nfs", "hostPath", "local", "storageOS"])),
    "pvcLabels": LABELS | LABELS | st.none(),
    "pvcPhase": lists_of(st.sampled_from(["Bound", "Pending", "Lost"])),
    "pvcVolumeMode": st.sampled_from(["Block", "Filesystem", ""]),
    "pvcAccessModes": lists_of(st.sampled_from(MODES)),
}


KINDS = ("skip", "fs-backup", "snapshot", "custom")
OURS = {"type": "custom", "parameters": {"snapshotter": "stillpoint"}}
actions = st.sampled_from([*({"type": kind} for kind in KINDS), OURS] * 8 + [{"type": "keep"}])


def policies_with(condition: str) -> st.SearchStrategy[Item]:
    """Policies of which the first has this condition, and perhaps another."""
    others = st.sampled_from(sorted(CONDITIONS)).flatmap(
        lambda name: st.fixed_dictionaries({name: CONDITIONS[name]})
    )
    own = st.fixed_dictionaries({condition: CONDITIONS[condition]})
    first = own | own | st.builds(lambda one, other: other | one, own, others)
    return st.builds(
        lambda version, all_of, actions, more: {
            "version": version,
            "volumePolicies": [
                {"conditions": conditions, "action": action}
                for conditions, action in zip(all_of, actions, strict=True)
            ],
            **more,
        },
        st.sampled_from(["v1"] * 30 + ["v2"]),
        st.tuples(first, others),
        st.tuples(actions, actions),
        st.sampled_from([{}] * 30 + [{"misspelt": []}]),
    )


settings_of_backup = specs(
    snapshotVolumes=st.booleans() | st.none(), defaultVolumesToFsBackup=st.booleans()
)


@pytest.mark.parametrize("condition", [*CONDITIONS, None])
@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    spec=settings_of_backup,
    around=st.lists(st.tuples(claims, volumes, pods), min_size=3, max_size=5),
)
def test_the_data_of_a_volume_meets_the_same_fate(
    velero: Velero,
    condition: str | None,
    data: st.DataObject,
    spec: Item,
    around: list[tuple[Item, Item, list[Item]]],
) -> None:
    document = data.draw(policies_with(condition)) if condition else None
    asks = data.draw(st.sampled_from([{}, {snapshotter.ANNOTATION: "all"}]))
    compare(velero, spec, document, asks, around)


BOUND: Item = {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"volumeName": "pv"}}
BOUND |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Bound"}}
VOLUME: Item = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "pv"},
    "spec": {},
}


PARAMETERS: list[Any] = [
    None,
    {},
    "none",
    [],
    {"datamover": "kubevirt"},
    {"snapshotter": "stillpoint"},
    {"snapshotter": "stillpoint", "group": True},
    {"snapshotter": "stillpoint", "group": "yes"},
    {"snapshotter": "stillpoint", "unknown": {"a": [1]}},
    {"snapshotter": "other"},
    {"snapshotter": None},
    {"group": True},
    {1: "stillpoint"},
]


@pytest.mark.parametrize("kind", [*KINDS, "stillpoint", None])
@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_an_action_is_ours_where_velero_leaves_it_to_us(
    velero: Velero, kind: str | None, parameters: Any
) -> None:
    action = {"type": kind, "parameters": parameters}
    document = {"version": "v1", "volumePolicies": [{"conditions": {}, "action": action}]}
    compare(velero, {}, document, {}, [(BOUND, VOLUME, [])])


def test_a_misspelt_field_of_an_action_is_refused(velero: Velero) -> None:
    action = {"type": "custom", "parameter": {"snapshotter": "stillpoint"}}
    document = {"version": "v1", "volumePolicies": [{"conditions": {}, "action": action}]}
    compare(velero, {}, document, {}, [(BOUND, VOLUME, [])])


def compare(
    velero: Velero,
    spec: Item,
    document: Item | None,
    annotations: Item,
    around: list[tuple[Item, Item, list[Item]]],
) -> None:
    """Fails unless the volumes meet the same fate by our code and by Velero's.

    Args:
        document: the policies.
        annotations: of the Backup.
        around: each claim, its volume, and pods.
    """
    text = yaml.safe_dump(document)
    answer = velero.ask(
        spec,
        policies=[text] if document else [],
        volumes=[
            {"claim": claim, "volume": volume, "pods": pods} for claim, volume, pods in around
        ],
    )
    config_map = {
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"policies": text},
    }
    if document:
        spec = spec | {"resourcePolicy": {"kind": "ConfigMap", "name": "policies"}}
    try:
        found = [
            fate(spec, annotations, [config_map, claim, volume, *pods])
            for claim, volume, pods in around
        ]
    except Refusal:
        assert answer["Failed"], f"Velero takes these policies: {text}"
        return
    assert not answer["Failed"], answer["Failed"]
    for ours, theirs in zip(found, answer["Fates"], strict=True):
        if not theirs["Failed"]:  # it does where there is nothing to cut: no volume is bound
            assert (ours is Fate.SNAPSHOT) is theirs["IsCut"]
        if theirs["IsOurs"]:
            assert ours in (Fate.OWN, None)
        elif theirs["Action"]:
            assert ours == theirs["Action"] or (ours is None and theirs["Action"] == "custom")
        elif ours is Fate.OWN:
            assert annotations
            assert spec["snapshotVolumes"] is False


def fate(spec: Item, annotations: Item, cluster: list[Item]) -> Fate | None:
    """What becomes of the claim, the second object of the cluster; None if we cannot obey."""
    metadata = {"name": "b", "namespace": "velero", "annotations": annotations}
    context = backup_context({"metadata": metadata, "spec": spec}, DictionaryReader(cluster))
    try:
        return policies.fates(context).of(cluster[1])
    except Refusal as error:
        if error.attempt != "cannot obey the policies":
            raise
        return None
