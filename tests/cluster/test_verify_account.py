"""The account of verifications changes nothing outside of its own namespaces."""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from stillpoint.rendering import verify
from stillpoint.verification.scratch import BACKUP
from tests.cluster import verify_account
from tests.cluster.api import Api, ApiError, Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Machine
from tests.cluster.namespaces import create_namespace, delete_namespace, wait_until
from tests.cluster.scratch_guests import SCRATCH
from tests.cluster.velero import API_VERSION, NAMESPACE
from tests.cluster.verifying import left
from tests.cluster.watcher import lost_race

IMAGE = "registry.example.com/stillpoint:1.0"
LIVING, OWN = "verify-living", "stillpoint-verify-own"
ESCALATED = "stillpoint-verify-escalated"
NO_DRIVER = "none.example.com"
ALIKE = {
    "stillpoint-verify-bare": ({}, {}),
    "stillpoint-verify-labelled": ({SCRATCH: "run"}, {}),
    "stillpoint-verify-annotated": ({}, {BACKUP: "velero/nightly"}),
    "stillpoint-verify-of-another": ({SCRATCH: "run"}, {BACKUP: "velero-2/nightly"}),
    "verify-stillpoint-verify-alike": ({SCRATCH: "run"}, {BACKUP: "velero/nightly"}),
}
"""Namespaces that only resemble one of its verifications: labels and annotations by name."""

INTO_OWN = {
    "backupName": "nightly",
    "includedNamespaces": [LIVING],
    "includedResources": ["persistentvolumeclaims", "virtualmachines.kubevirt.io"],
    "namespaceMapping": {LIVING: OWN},
}
ENFORCED = "pod-security.kubernetes.io/enforce"
NOBODY = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "nobody",
    "uid": "00000000-0000-4000-8000-000000000000",
}
"""An owner that is not there: the garbage collector deletes what has no other."""

MACHINE = ("kubevirt.io/v1", "VirtualMachine")
CLAIM = ("v1", "PersistentVolumeClaim")
SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
CONTENT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent")


@pytest.fixture(scope="module")
def lab(cluster_without_velero: Cluster) -> Iterator[Cluster]:
    """With a machine, its disk and a snapshot in namespaces of all kinds."""
    cluster = cluster_without_velero
    own = {OWN: ({SCRATCH: "run"}, {BACKUP: f"{NAMESPACE}/nightly"})}
    for name, (labels, annotations) in {LIVING: ({}, {}), **own, **ALIKE}.items():
        create_namespace(cluster.api, name)
        machine = Machine(name, "db", is_running=False, has_instancetype=False)
        cluster.create_vm(machine)
        cluster.api.create(snapshot(machine))
        marked = {"metadata": {"labels": labels, "annotations": annotations}}
        cluster.api.patch("v1", "Namespace", None, name, marked)
    spec = {"includedNamespaces": [LIVING], "ttl": "720h"}
    annotated = velero_object("Backup", "verify-account", spec)
    annotated["metadata"]["annotations"] = {"example.com/mine": "kept"}
    # Of a state in which a Velero that runs here leaves it alone: it would back up, and say more.
    cluster.api.create(annotated | {"status": {"phase": "FailedValidation"}})
    yield cluster
    clear(cluster.api)
    wait_until(lambda: left(cluster) == [], "nothing is left that other tests would count")


def clear(api: Api) -> None:
    names = (LIVING, OWN, ESCALATED, *ALIKE)
    with ThreadPoolExecutor(len(names)) as workers:
        list(workers.map(lambda name: delete_namespace(api, name), names))
    for restore in api.list(API_VERSION, "Restore", NAMESPACE):
        if restore["spec"].get("namespaceMapping") == INTO_OWN["namespaceMapping"]:
            api.delete(API_VERSION, "Restore", NAMESPACE, restore["metadata"]["name"])
    for content in api.list(*CONTENT):
        if content["spec"]["driver"] == NO_DRIVER:
            where = (*CONTENT, None, content["metadata"]["name"])
            api.delete(*where)
            with lost_race():  # it had none
                api.patch(*where, {"metadata": {"finalizers": None}})  # nobody else takes it off


def snapshot(machine: Machine) -> Object:
    group, kind = SNAPSHOT
    metadata = {"name": "db", "namespace": machine.namespace}
    source = {"persistentVolumeClaimName": machine.claim(machine.disks[0])}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": {"source": source}}


@pytest.fixture(scope="module")
def account(lab: Cluster) -> Iterator[Api]:
    verify_account.give(lab)
    api = lab.control_plane.api("stillpoint-verify")
    yield api
    api.close()


def attempt(api: Api, method: str, path: str, body: Object | None = None) -> str:
    """Why the request is refused; empty if it would be done. Nothing is kept."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        api.request(method, f"{path}?dryRun=All", body, kind)
    except ApiError as error:
        if error.status not in (403, 422):
            raise
        return str(error)
    return ""


@pytest.mark.parametrize(("namespace", "is_refused"), [(OWN, False), (LIVING, True)])
def test_machines_and_quotas_are_changed_in_own_namespaces_alone(
    account: Api, namespace: str, is_refused: bool
) -> None:
    path = account.path(*MACHINE, namespace, "db")
    refusals = [attempt(account, "PATCH", path, {"spec": {"runStrategy": "Once"}})]
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    refusals.append(attempt(account, "POST", account.path("v1", "ResourceQuota", namespace), quota))
    assert ["in no namespace of a verification" in one for one in refusals] == [is_refused] * 2


@pytest.mark.parametrize(("kind", "name"), [(MACHINE, "db"), (CLAIM, "db-root"), (SNAPSHOT, "db")])
@pytest.mark.parametrize(
    ("namespace", "is_refused"), [(OWN, False), (LIVING, True), *((one, True) for one in ALIKE)]
)
def test_what_keeps_a_namespace_is_deleted_in_own_ones_alone(
    account: Api, kind: tuple[str, str], name: str, namespace: str, is_refused: bool
) -> None:
    refused = attempt(account, "DELETE", account.path(*kind, namespace, name))
    assert ("in no namespace of a verification" in refused) is is_refused, refused


@pytest.mark.parametrize("kind", [MACHINE, CLAIM, SNAPSHOT])
@pytest.mark.parametrize("namespace", [OWN, LIVING])
def test_nothing_is_deleted_by_the_collection(
    account: Api, kind: tuple[str, str], namespace: str
) -> None:
    assert "cannot deletecollection" in attempt(account, "DELETE", account.path(*kind, namespace))


@pytest.mark.parametrize(
    ("name", "labels", "backup", "is_refused"),
    [
        ("stillpoint-verify-a", {SCRATCH: "run"}, "velero/nightly", False),
        ("stillpoint-verify-a", {SCRATCH: "run", ENFORCED: "baseline"}, "velero/nightly", False),
        ("stillpoint-verify-a", {SCRATCH: "run", ENFORCED: "privileged"}, "velero/nightly", True),
        ("stillpoint-verify-a", {}, "velero/nightly", True),
        ("stillpoint-verify-a", {SCRATCH: "run"}, "velero-2/nightly", True),
        ("stillpoint-verify-a", {SCRATCH: "run"}, "", True),
        ("shop", {SCRATCH: "run"}, "velero/nightly", True),
    ],
)
def test_it_makes_namespaces_of_its_own_alone(
    account: Api, name: str, labels: dict[str, str], backup: str, is_refused: bool
) -> None:
    metadata = {"name": name, "labels": labels, "annotations": {BACKUP: backup}}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    assert bool(attempt(account, "POST", account.path("v1", "Namespace"), made)) is is_refused


@pytest.mark.parametrize("is_privileged", [False, True])
def test_a_second_account_has_a_fence_of_its_own_and_leaves_the_first_its(
    lab: Cluster, account: Api, is_privileged: bool
) -> None:
    """Its namespaces admit privileged pods if that was asked for."""
    velero = f"second-velero-{is_privileged}".lower()
    create_namespace(lab.api, velero)
    second = verify_account.connect(lab, velero, is_privileged=is_privileged)
    path = account.path("v1", "Namespace")
    assert (attempt(second, "POST", path, privileged(velero)) == "") is is_privileged
    assert "--privileged" in attempt(account, "POST", path, privileged(NAMESPACE))
    own = account.path("v1", "Namespace", None, OWN)
    assert "no namespace of a verification" in attempt(second, "DELETE", own)
    machine = account.path(*MACHINE, OWN, "db")
    assert "in no namespace of a verification" in attempt(second, "DELETE", machine)
    assert verify_account.is_fenced(account)
    second.close()


def privileged(velero: str) -> Object:
    metadata = {
        "name": "stillpoint-verify-a",
        "labels": {SCRATCH: "run", ENFORCED: "privileged"},
        "annotations": {BACKUP: f"{velero}/nightly"},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def test_a_namespace_that_kubevirt_made_privileged_is_deleted(lab: Cluster, account: Api) -> None:
    create_namespace(lab.api, ESCALATED)
    lab.api.patch("v1", "Namespace", None, ESCALATED, marks(privileged(NAMESPACE)))
    assert attempt(account, "DELETE", account.path("v1", "Namespace", None, ESCALATED)) == ""


def marks(namespace: Object) -> Object:
    return {"metadata": {key: namespace["metadata"][key] for key in ("labels", "annotations")}}


@pytest.mark.parametrize(
    ("name", "is_refused"), [(OWN, False), (LIVING, True), *((one, True) for one in ALIKE)]
)
def test_it_deletes_namespaces_of_its_own_alone(account: Api, name: str, is_refused: bool) -> None:
    refused = attempt(account, "DELETE", account.path("v1", "Namespace", None, name))
    assert ("it is no namespace of a verification" in refused) is is_refused, refused


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        ({}, False),
        ({"includedNamespaces": None}, True),
        ({"includedNamespaces": ["*"], "namespaceMapping": {"*": OWN}}, True),
        ({"includedNamespaces": [LIVING, "other"]}, True),
        ({"namespaceMapping": {LIVING: "shop"}}, True),
        ({"namespaceMapping": None}, True),
        ({"includeClusterResources": True}, True),
        ({"existingResourcePolicy": "update"}, True),
        ({"resourceModifier": {"kind": "ConfigMap", "name": "other"}}, True),
        ({"includedResources": None}, True),
        ({"includedResources": []}, True),
        ({"includedResources": ["*"]}, True),
        ({"includedResources": ["persistentvolumeclaims", "pods"]}, True),
        ({"includedResources": ["daemonsets.apps"]}, True),
        ({"includedResources": ["rolebindings.rbac.authorization.k8s.io"]}, True),
        ({"hooks": {"resources": [{"name": "run", "postHooks": []}]}}, True),
        ({"backupName": None, "scheduleName": "nightly"}, True),
        ({"restoreStatus": {"includedResources": ["virtualmachines.kubevirt.io"]}}, True),
        ({"itemOperationTimeout": "900s"}, False),
    ],
    ids=str,
)
def test_it_restores_into_its_own_namespaces_alone(
    account: Api, change: dict[str, Any], is_refused: bool
) -> None:
    spec = {key: value for key, value in {**INTO_OWN, **change}.items() if value is not None}
    made = velero_object("Restore", "stillpoint-verify-a", spec)
    refused = attempt(account, "POST", account.path(API_VERSION, "Restore", NAMESPACE), made)
    assert bool(refused) is is_refused, refused
    assert ("ValidatingAdmissionPolicy" in refused) is is_refused


def test_restores_of_others_stay(lab: Cluster, account: Api) -> None:
    """Of its own Restore it counts no more what is in it: Velero writes there."""
    by_velero = {"scheduleName": "nightly", "excludedResources": ["nodes"], "hooks": {}}
    for name in ("others", "stillpoint-verify-mine"):
        lab.api.create(velero_object("Restore", name, INTO_OWN | by_velero))
    path = account.path(API_VERSION, "Restore", NAMESPACE, "stillpoint-verify-mine")
    assert attempt(account, "DELETE", path) == ""
    assert attempt(account, "DELETE", path.replace("stillpoint-verify-mine", "others"))


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        ({"metadata": {"annotations": {"stillpoint.dev/verified": "{}"}}}, False),
        ({"metadata": {"annotations": {"example.com/mine": "changed"}}}, True),
        ({"metadata": {"annotations": {"example.com/mine": None}}}, True),
        ({"metadata": {"annotations": {"example.com/more": "added"}}}, True),
        ({"metadata": {"labels": {"velero.io/schedule-name": "other"}}}, True),
        ({"metadata": {"finalizers": ["example.com/stays"]}}, True),
        ({"metadata": {"ownerReferences": [NOBODY]}}, True),
        ({"spec": {"ttl": "1h"}}, True),
        ({"status": {"phase": "Completed"}}, True),
    ],
    ids=str,
)
def test_of_a_backup_one_annotation_is_changed(
    account: Api, change: dict[str, Any], is_refused: bool
) -> None:
    path = account.path(API_VERSION, "Backup", NAMESPACE, "verify-account")
    assert bool(attempt(account, "PATCH", path, change)) is is_refused


def test_volumes_of_others_stay_as_they_are(lab: Cluster, account: Api) -> None:
    found = {
        one["spec"]["claimRef"]["namespace"]: one["metadata"]["name"]
        for one in lab.api.list("v1", "PersistentVolume")
        if "claimRef" in one["spec"]
    }
    policy = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
    own, living = (
        account.path("v1", "PersistentVolume", None, found[one]) for one in (OWN, LIVING)
    )
    assert attempt(account, "PATCH", own, policy) == ""
    assert "is no volume of a verification" in attempt(account, "PATCH", living, policy)
    taken = {"spec": {"claimRef": {"namespace": OWN}}}
    assert "is no volume of a verification" in attempt(account, "PATCH", living, taken)


@pytest.mark.parametrize(
    ("namespace", "policy", "is_refused"),
    [(OWN, "Retain", False), (OWN, "Delete", True), (LIVING, "Retain", True)],
)
def test_no_snapshot_goes_with_what_it_deletes(
    lab: Cluster, account: Api, namespace: str, policy: str, is_refused: bool
) -> None:
    name = f"{namespace}-{policy.lower()}"
    spec = {
        "deletionPolicy": policy,
        "driver": NO_DRIVER,
        "source": {"snapshotHandle": name},
        "volumeSnapshotRef": {"name": "db", "namespace": namespace},
    }
    group, kind = CONTENT
    lab.api.create({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec})
    path = account.path(*CONTENT, None, name)
    assert ("its snapshot would go" in attempt(account, "DELETE", path)) is is_refused


@pytest.mark.parametrize(
    "arguments", [{"backup": "nightly"}, {"schedule": "nightly", "cron": "0 6 * * *"}]
)
def test_its_pod_is_admitted_at_the_strictest_level(
    lab: Cluster, arguments: dict[str, Any]
) -> None:
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    name = f"restricted-{next(iter(arguments))}"
    create_namespace(lab.api, name, level)
    answers = verify.Answers(name, "verify", IMAGE, account="default", **arguments)
    made = list(yaml.safe_load_all(verify.manifest(answers)))[-1]
    job = made["spec"].get("jobTemplate", made)["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(job["template"])}
    pod["metadata"]["name"] = "verify"
    lab.api.request("POST", f"{lab.api.path('v1', 'Pod', name)}?dryRun=All", pod)
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(ApiError, match="violates PodSecurity"):
        lab.api.request("POST", f"{lab.api.path('v1', 'Pod', name)}?dryRun=All", pod)
