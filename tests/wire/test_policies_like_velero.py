"""What becomes of volumes under policies, by our code and by Velero's own.

Velero's side is Go, in tests/peers/velero/cmd/filters.
"""

import logging

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stillpoint.actions import policies
from stillpoint.cluster.cache import CachedIndex
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.item_log import ItemLog
from stillpoint.velero.context import BackupContext
from stillpoint.velero.request import Backup
from stillpoint.velero.volumes.policy import Fate
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


def policies_with(condition: str) -> st.SearchStrategy[Item]:
    """Policies of which the first has this condition, and perhaps another."""
    others = st.sampled_from(sorted(CONDITIONS)).flatmap(
        lambda name: st.fixed_dictionaries({name: CONDITIONS[name]})
    )
    own = st.fixed_dictionaries({condition: CONDITIONS[condition]})
    first = own | own | st.builds(lambda one, other: other | one, own, others)
    actions = st.sampled_from([*map(str, Fate)] * 10 + ["keep"])
    return st.builds(
        lambda version, all_of, actions, more: {
            "version": version,
            "volumePolicies": [
                {"conditions": conditions, "action": {"type": action}}
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
        found = [fate(spec, [config_map, claim, volume, *pods]) for claim, volume, pods in around]
    except Refusal:
        assert answer["Failed"], f"Velero takes these policies: {text}"
        return
    assert not answer["Failed"], answer["Failed"]
    for ours, theirs in zip(found, answer["Fates"], strict=True):
        if not theirs["Failed"]:  # it does where there is nothing to cut: no volume is bound
            assert (ours is Fate.SNAPSHOT) is theirs["IsCut"]
        if theirs["Action"]:
            assert ours == theirs["Action"]


def fate(spec: Item, cluster: list[Item]) -> Fate:
    """What becomes of the claim, the second object of the cluster."""
    backup = Backup.parse({"metadata": {"name": "b", "namespace": "velero"}, "spec": spec})
    log = ItemLog(logging.getLogger("test"), "test", "test")
    context = BackupContext(backup, CachedIndex(DictionaryReader(cluster)), log)
    return policies.fates(context).of(cluster[1])
