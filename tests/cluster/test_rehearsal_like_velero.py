"""A rehearsal of the live cluster, and then Velero's own backup by the same specification.

What the rehearsal said must be what Velero did: which items it stored and where in its archive,
which it put into one block, and in which guests it ran hooks. No disk is cut in most of them.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.model import item as it
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.rehearsal import Rehearsal, Wanted, rehearse
from stillpoint.rehearsal.sources import live_cluster
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import archive
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.velero.volumes import snapshotter
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.velero import NAMESPACE

FIRST, SECOND = "rehearsed-one", "rehearsed-two"
LABEL = {"matchLabels": {"backup": "yes"}}
MACHINES = (
    Machine(
        FIRST, "db", (Disk("root"), Disk("data")), (Disk("extra"),), labels=(("backup", "yes"),)
    ),
    Machine(FIRST, "web", hotplugged=(Disk("cache"),), hotplugged_in_spec=False),
    Machine(FIRST, "archive", is_running=False),
    Machine(SECOND, "plain", has_freeze_hooks=False, has_instancetype=False),
    Machine(SECOND, "other", labels=(("tier", "b"),)),
)
SPECIFICATIONS: dict[str, Object] = {
    "one-namespace": {"includedNamespaces": [FIRST]},
    "pattern": {"includedNamespaces": ["rehearsed-*"]},
    "excluded-namespace": {
        "includedNamespaces": ["rehearsed-*"], "excludedNamespaces": [SECOND],
    },
    "label": {"includedNamespaces": [FIRST], "labelSelector": LABEL},
    "or-labels": {
        "includedNamespaces": [FIRST, SECOND],
        "orLabelSelectors": [LABEL, {"matchLabels": {"tier": "b"}}],
    },
    "short-names": {
        "includedNamespaces": [FIRST], "includedResources": ["vm", "vmi", "po", "pvc", "dv", "pv"],
    },
    "no-secrets": {"includedNamespaces": [FIRST], "excludedResources": ["secrets", "cm"]},
    "no-pods": {"includedNamespaces": [FIRST], "excludedResources": ["pods"]},
    "no-cluster": {"includedNamespaces": [SECOND], "includeClusterResources": False},
    "all-cluster": {"includedNamespaces": [SECOND], "includeClusterResources": True},
    "by-scope": {
        "includedNamespaces": [FIRST],
        "includedNamespaceScopedResources": ["virtualmachines", "persistentvolumeclaims"],
        "includedClusterScopedResources": ["storageclasses"],
    },
    "not-by-scope": {
        "includedNamespaces": [FIRST],
        "excludedNamespaceScopedResources": ["datavolumes"],
        "excludedClusterScopedResources": ["persistentvolumes"],
    },
    "label-of-a-claim": {
        "includedNamespaces": [FIRST], "labelSelector": {"matchLabels": {"disk": "chosen"}},
    },
}  # fmt: skip
DRAWN = 12
"""Specifications besides, drawn at random. More of them find more, and take five seconds each."""
NAMESPACES = ([FIRST], [SECOND], [FIRST, SECOND], ["rehearsed-*"], ["rehearsed-o?e"])
NAMESPACED = (
    "vm", "virtualmachine", "virtualmachines.kubevirt.io", "vmis", "virtualmachineinstance", "po",
    "pods", "pvc", "persistentvolumeclaims", "dv", "datavolumes.cdi.kubevirt.io", "secret", "cm",
    "controllerrevisions.apps", "*s", "no-such-thing",
)  # fmt: skip
CLUSTER_SCOPED = ("pv", "persistentvolumes", "storageclasses.storage.k8s.io", "sc", "namespaces")
SELECTORS = (
    LABEL,
    {"matchLabels": {"tier": "b"}},
    {"matchExpressions": [{"key": "backup", "operator": "Exists"}]},
    {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["b"]}]},
)
OF_THE_SNAPSHOTS = (
    "volumesnapshots.", "volumesnapshotcontents.", "volumesnapshotclasses.",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    cluster: Cluster
    known: Known


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    for namespace in (FIRST, SECOND):
        cluster.create_namespace(namespace)
    cluster.create_vms(MACHINES)
    chosen = {"metadata": {"labels": {"disk": "chosen"}}}
    cluster.api.patch("v1", "PersistentVolumeClaim", FIRST, "db-data", chosen)
    reader = KubernetesReader.connect(None, str(cluster.control_plane.kubeconfig("admin")))
    known = live_cluster.read(reader, live_cluster.Scope(is_whole=True), lambda *_: None)
    assert known.unread == ()
    yield Place(cluster, known)
    for namespace in (FIRST, SECOND):
        cluster.delete_namespace(namespace)


@pytest.mark.parametrize("name", [*SPECIFICATIONS, *(f"drawn-{seed}" for seed in range(DRAWN))])
def test_velero_does_what_the_rehearsal_said(place: Place, name: str) -> None:
    chosen = SPECIFICATIONS[name] if name in SPECIFICATIONS else drawn(random.Random(name))
    spec = {"snapshotVolumes": False, **chosen}
    found = rehearse(place.known, Wanted(velero_object("Backup", name, spec), datetime.now(UTC)))
    calls = len(place.cluster.freezes())
    backup = place.cluster.backup(f"rehearsed-{name}", spec)
    log = place.cluster.backup_log(f"rehearsed-{name}")
    assert backup["status"]["phase"] == ("PartiallyFailed" if errors(found) else "Completed"), log
    assert_same_items(place.cluster, found, f"rehearsed-{name}")
    ours = volumes(place.cluster)
    assert comparable(blocks_of(log), ours) == comparable(
        (
            sorted(map(title, block.items))
            for block in found.backup.blocks
            if block.items[0].resource != "events"
        ),
        ours,
    )
    frozen = [call.pod for call in place.cluster.freezes()[calls:] if call.verb == "freeze"]
    assert sorted(frozen) == sorted(f"{one.namespace}/{one.name}" for one in found.backup.hooks)


def test_velero_cuts_the_disks_that_the_rehearsal_said_within_one_freeze(place: Place) -> None:
    spec = {"includedNamespaces": [SECOND]}
    found = rehearse(place.known, Wanted(velero_object("Backup", "cut", spec), datetime.now(UTC)))
    levels = {one.reference.name: one.judged.level for one in found.machines}
    assert levels == {"other": "filesystem", "plain": "crash"}
    backup = place.cluster.backup("rehearsed-cut", spec)
    assert backup["status"]["phase"] == "Completed", place.cluster.backup_log("rehearsed-cut")
    assert_same_items(place.cluster, found, "rehearsed-cut")
    cuts = place.cluster.snapshots_cut()
    freezes = [one for one in place.cluster.freezes() if one.namespace == SECOND]
    [cut] = cuts[f"{SECOND}/other-root"]
    assert freezes[-2].time < cut.started < cut.finished < freezes[-1].time
    assert {(one.name, one.verb) for one in freezes} == {("other", "freeze"), ("other", "unfreeze")}
    [unfrozen] = cuts[f"{SECOND}/plain-root"]
    assert not freezes[-2].time < unfrozen.started < freezes[-1].time


POLICY = """
version: v1
volumePolicies:
- conditions: {csi: {}}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
"""
SWITCHES: dict[str, tuple[Object, Object]] = {
    "policy": ({"resourcePolicy": {"kind": "configmap", "name": "rehearsed-policy"}}, {}),
    "annotation": ({"snapshotVolumes": False}, {snapshotter.ANNOTATION: snapshotter.ALL}),
}


@pytest.fixture(scope="module")
def with_policy(place: Place) -> Place:
    metadata = {"name": "rehearsed-policy", "namespace": NAMESPACE}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    created = place.cluster.api.create({**config_map, "data": {"policies": POLICY}})
    known = replace(place.known, objects=(*place.known.objects, created))
    return replace(place, known=known)


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_plugin_takes_the_snapshots_that_the_rehearsal_said(
    with_policy: Place, switch: str
) -> None:
    cluster, name = with_policy.cluster, f"rehearsed-{switch}"
    more, annotations = SWITCHES[switch]
    spec = {"includedNamespaces": [FIRST], **more}
    asked = velero_object("Backup", name, spec)
    asked["metadata"]["annotations"] = annotations
    found = rehearse(with_policy.known, Wanted(asked, datetime.now(UTC)))
    assert errors(found) == []
    assert {one.reference.name: one.judged.level for one in found.machines} == {
        "archive": "stopped", "db": "filesystem", "web": "filesystem",
    }  # fmt: skip
    calls, cuts = len(cluster.freezes()), cluster.snapshots_cut()
    backup = cluster.backup(name, spec, annotations=annotations)
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(name)
    assert_same_items(cluster, found, name)
    stored = cluster.backup_items(name)
    claims = [one for one in found.backup.stored if one.is_of(persistent_volume_claim.RESOURCE)]
    assert len(claims) == 6
    for claim in claims:
        path = f"resources/persistentvolumeclaims/namespaces/{FIRST}/{claim.name}.json"
        assert of_snapshot(found.backup.stored[claim]) == of_snapshot(stored[path])
        of_claim = cluster.snapshots_cut()[f"{FIRST}/{claim.name}"]
        [cut] = of_claim[len(cuts.get(f"{FIRST}/{claim.name}", ())) :]
        guest = claim.name.partition("-")[0]
        frozen = [one for one in cluster.freezes()[calls:] if one.name == guest and one.has_changed]
        assert [one.verb for one in frozen] == (
            [] if guest == "archive" else ["freeze", "unfreeze"]
        )
        if frozen:
            assert frozen[0].time < cut.started < cut.finished < frozen[1].time


def of_snapshot(claim: Object) -> Object:
    """What the plugin changes in a claim; without the snapshot's name, which its Backup makes."""
    name = it.text(claim, "metadata", "annotations", "velero.io/volume-snapshot-name")
    assert name.startswith(f"velero-{it.name(claim)}-")
    return {
        f"{kind} {key}": "a snapshot of it" if value == name else value
        for kind, mapping in (
            ("label", it.labels(claim)),
            ("annotation", it.annotations(claim)),
            ("spec", it.mapping(claim, "spec")),
        )
        for key, value in mapping.items()
    }


def drawn(by: random.Random) -> Object:
    """A specification of one of the two styles, which Velero does not mix."""
    spec: Object = {"includedNamespaces": by.choice(NAMESPACES)}
    match by.randrange(4):
        case 0:
            spec["labelSelector"] = by.choice(SELECTORS)
        case 1:
            spec["orLabelSelectors"] = by.sample(SELECTORS, 2)
    if by.randrange(2):
        names = by.sample((*NAMESPACED, *CLUSTER_SCOPED), by.randrange(1, 9))
        if by.randrange(2):
            spec["includeClusterResources"] = bool(by.randrange(2))
        return spec | lists(by, names, "Resources")
    namespaced = by.sample(NAMESPACED, by.randrange(7))
    cluster_scoped = by.sample(CLUSTER_SCOPED, by.randrange(4))
    return (
        spec
        | lists(by, namespaced, "NamespaceScopedResources")
        | lists(by, cluster_scoped, "ClusterScopedResources")
    )


def lists(by: random.Random, names: list[str], what: str) -> Object:
    middle = by.choice((0, len(names) // 2, len(names)))
    both = {f"included{what}": names[:middle], f"excluded{what}": names[middle:]}
    return {key: value for key, value in both.items() if value}


def assert_same_items(cluster: Cluster, found: Rehearsal, backup: str) -> None:
    """By path in the archive, without what comes and goes, and without the snapshots."""
    expected = {
        path
        for one, item in found.backup.stored.items()
        for path in archive.paths(one, found.selection.served[one].version, item)
    }
    ours = volumes(cluster)
    stored, expected = (
        {one for one in paths if counts(one, ours)}
        for paths in (cluster.backup_items(backup), expected)
    )
    assert stored == expected


def counts(path: str, volumes: set[str]) -> bool:
    resource = path.removeprefix("resources/")
    if resource.startswith("persistentvolumes/"):
        return Path(path).stem in volumes
    return not resource.startswith(("events", *OF_THE_SNAPSHOTS))


def volumes(cluster: Cluster) -> set[str]:
    """Those of this test's claims: others are bound and deleted at any time."""
    return {
        one["metadata"]["name"]
        for one in cluster.api.list("v1", "PersistentVolume")
        if one["spec"].get("claimRef", {}).get("namespace") in (FIRST, SECOND)
    }


def comparable(blocks: Iterable[list[str]], volumes: set[str]) -> list[list[str]]:
    """In order, and without the blocks of other volumes than these."""
    kind = "persistentvolumes /"
    return sorted(
        block
        for block in blocks
        if not block[0].startswith(kind) or block[0].removeprefix(kind) in volumes
    )


def errors(found: Rehearsal) -> list[str]:
    of_blocks = [error for block in found.backup.blocks for error in block.errors]
    return of_blocks + [one.error for one in found.backup.items.values() if one.error]


def title(reference: Reference) -> str:
    return f"{reference.group_resource} {reference.namespace}/{reference.name}"


ADDED = re.compile(r'msg="adding (\S+ \S+) to ItemBlock"')
BLOCK = re.compile(r'msg="Backing Up Item Block including (\S+ \S+) ')


def blocks_of(log: str) -> Iterator[list[str]]:
    """What Velero's one collecting thread says of each block.

    What two of its selectors select is in a block twice; the second time Velero has it already.
    """
    block: set[str] = set()
    for line in log.splitlines():
        if added := ADDED.search(line):
            block.add(added[1])
        if ended := BLOCK.search(line):
            assert ended[1] in block
            if not ended[1].startswith(("events ", "events.events.k8s.io ")):
                yield sorted(block)
            block = set()
