"""What `stillpoint render` writes, before a real API server and beside Velero's own manifests."""

import copy
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
import yaml

from stillpoint import cli
from stillpoint.check import registry
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.rendering.velero_answers import VELERO_IMAGE
from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.namespaces import wait_until
from tests.cluster.velero import API_VERSION, NAMESPACE
from tests.peers.build import VELERO_VERSION, binary
from tests.unit.model import test_cron

IMAGE = "registry.example.com/stillpoint:1.0"
PLACE = ["--image", IMAGE, "--provider", "aws", "--bucket", "backups", "--prefix", "here"]
PLACE += ["--region", "eu-west-1"]
NODES = ["--node-selector", "example.com/backup=yes"]
RENDERED = [
    ["schedule", "--take", "shop", "--policy", "stillpoint-snapshots", "--require", "filesystem"],
    ["policy"],
    ["rbac"],
    ["dpa", *PLACE, *NODES],
    ["dpa", *PLACE, "--no-move-data"],
    ["velero", *PLACE, *NODES],
    ["velero", *PLACE, "--no-move-data"],
    ["verify", "--image", IMAGE, "--backup", "nightly"],
    ["verify", "--image", IMAGE, "--schedule", "nightly", "--", "--sample", "3"],
]
SETTINGS = ("v1", "ConfigMap", NAMESPACE, "node-agent-config")
RBAC = "rbac.authorization.k8s.io/v1"
ALONE = "rendered"
OF_THE_CLUSTER = {"no-kubevirt", "machine-without-schedule", "velero-not-ready"} | {
    row.code for area, row in registry.rows() if area.name == "storage"
}
"""Findings that are not about what is rendered: the tests' cluster does without KubeVirt, has disks
and snapshots of other tests, and whether a controller has looked at the Deployment yet is a matter
of time."""


def rendered(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> list[Any]:
    assert cli.main(["render", *arguments, "-n", NAMESPACE]) == ExitStatus.GOOD
    return list(yaml.safe_load_all(capsys.readouterr().out))


def accepted(cluster: Cluster, made: Object) -> Object:
    """The object as the API server would keep it under a new name, each field known to it."""
    renamed = copy.deepcopy(made)
    metadata = renamed["metadata"]
    metadata["name"] = f"rendered-{metadata['name']}"
    path = cluster.api.path(made["apiVersion"], made["kind"], metadata.get("namespace"))
    return cluster.api.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", renamed)


@pytest.mark.parametrize("arguments", RENDERED, ids=" ".join)
def test_what_is_rendered_is_accepted_field_by_field(
    arguments: list[str], cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """With Velero's own definitions; nothing is kept."""
    for made in rendered(arguments, capsys):
        accepted(cluster, made)


def as_cron_job(text: str) -> Object:
    """Kubernetes reads it by the parser that older Veleros have."""
    container = {"name": "one", "image": IMAGE}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "times", "namespace": NAMESPACE},
        "spec": {"schedule": text, "jobTemplate": {"spec": {"template": template}}},
    }


@pytest.mark.parametrize("text", test_cron.GOOD)
def test_the_api_server_takes_the_times_that_the_command_takes(text: str, cluster: Cluster) -> None:
    accepted(cluster, as_cron_job(text))


@pytest.mark.parametrize("text", [*test_cron.BAD, *test_cron.ZONED])
def test_the_api_server_refuses_the_times_that_the_command_refuses(
    text: str, cluster: Cluster
) -> None:
    with pytest.raises(ApiError, match=r"spec\.schedule"):
        accepted(cluster, as_cron_job(text))


def test_velero_takes_the_times_that_the_command_takes(cluster: Cluster) -> None:
    """Also with a time zone; and refuses all others but those that only it takes.

    One that is due meanwhile makes a Backup of no namespace.
    """
    bad = {*test_cron.BAD, *test_cron.BADLY_ZONED} - {*test_cron.OF_LATER_VELEROS}
    texts = [*test_cron.GOOD, *test_cron.ZONED, *sorted(bad)]
    for number, text in enumerate(texts):
        spec = {"schedule": text, "template": {"includedNamespaces": ["nowhere"]}}
        cluster.api.create(velero_object("Schedule", f"times-{number}", spec))
    try:
        for number, text in enumerate(texts):
            expected = "FailedValidation" if text in bad else "Enabled"
            assert (text, looked_at(cluster, f"times-{number}")) == (text, expected)
    finally:
        for number, _ in enumerate(texts):
            cluster.api.delete(API_VERSION, "Schedule", NAMESPACE, f"times-{number}")


def looked_at(cluster: Cluster, name: str) -> str:
    """The phase of a Schedule, which Velero gives it at once."""

    def phase() -> str:
        found = cluster.api.get(API_VERSION, "Schedule", NAMESPACE, name)
        return str(found.get("status", {}).get("phase", ""))

    wait_until(lambda: phase() != "", f"schedule {name} looked at", 120)
    return phase()


OBJECTS = [
    (["schedule", "--take", "shop"], "Schedule", 253),
    (["verify", "--image", IMAGE, "--backup", "nightly"], "Job", 63),
    (["verify", "--image", IMAGE, "--schedule", "nightly"], "CronJob", 52),
    (["policy"], "ConfigMap", 253),
    (["dpa", *PLACE], "DataProtectionApplication", 253),
]


@pytest.mark.parametrize(("arguments", "kind", "longest"), OBJECTS)
def test_names_are_as_long_as_the_api_server_takes_them(
    arguments: list[str],
    kind: str,
    longest: int,
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (made,) = (one for one in rendered(arguments, capsys) if one["kind"] == kind)
    for length, is_taken in ((longest, True), (longest + 1, False)):
        made["metadata"]["name"] = "a" * length
        path = cluster.api.path(made["apiVersion"], kind, NAMESPACE)
        with nullcontext() if is_taken else pytest.raises(ApiError, match="no more than"):
            cluster.api.request("POST", f"{path}?dryRun=All", made)


def test_a_field_that_a_definition_does_not_have_is_refused(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = rendered(["dpa", *PLACE], capsys)
    made["spec"]["configuration"]["nodeAgent"]["enabled"] = True
    with pytest.raises(ApiError, match="unknown field"):
        accepted(cluster, made)


@pytest.fixture
def settings(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The configuration of node agents: Velero reads it before it writes manifests."""
    made = rendered(["velero", *PLACE, *NODES], capsys)
    (one,) = (one for one in made if one["kind"] == "ConfigMap")
    cluster.api.create(one)
    yield
    cluster.api.delete(*SETTINGS)


@pytest.mark.usefixtures("settings")
def test_velero_itself_would_install_the_same(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {
        (one["kind"], one["metadata"]["name"]): accepted(cluster, one)
        for one in rendered(["velero", *PLACE], capsys)
    }
    theirs = {
        (one["kind"], one["metadata"]["name"]): accepted(cluster, one)
        for one in velero_install(cluster)
        if one["kind"] != "CustomResourceDefinition"
    }
    assert ours.keys() - theirs.keys() == {("ConfigMap", "node-agent-config")}
    assert not theirs.keys() - ours.keys()
    differing = {
        (*name, path)
        for name in theirs
        for path in differences(bare(ours[name]), bare(theirs[name]))
    }
    container = "spec.template.spec.containers.0"
    assert differing == {
        ("BackupStorageLocation", "default", "spec.credential"),
        ("DaemonSet", "node-agent", f"{container}.securityContext"),  # privileged: false, in words
        ("Deployment", "velero", "spec.template.spec.os"),
        ("Deployment", "velero", f"{container}.resources.limits.memory"),
        ("Namespace", "velero", "metadata.labels"),
    }


def velero_install(cluster: Cluster) -> list[Object]:
    """The manifests of `velero install` for the same answers."""
    options = [
        *("--provider", "aws", "--bucket", "backups", "--prefix", "here", "--no-secret"),
        *("--backup-location-config", "region=eu-west-1", "--features", "EnableCSI"),
        *("--image", VELERO_IMAGE, "--use-volume-snapshots=false"),
        *("--plugins", f"velero/velero-plugin-for-aws:v1.14.2,{IMAGE}"),
        *("--use-node-agent", "--node-agent-disable-host-path", "--default-snapshot-move-data"),
        *("--node-agent-configmap", SETTINGS[3], "--csi-snapshot-early-frequent-polling"),
    ]
    kubeconfig = str(cluster.control_plane.kubeconfig("admin"))
    printed = subprocess.run(
        [binary("velero"), "install", "--dry-run", "-o", "json", "-n", NAMESPACE, *options],
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        check=True,
    )
    found: list[Object] = json.loads(printed.stdout)["items"]
    return found


def bare(one: Object) -> Object:
    """Without what each object has of its own, and the names of init containers."""
    left = copy.deepcopy(one)
    for field in ("uid", "creationTimestamp", "managedFields", "generation"):
        left["metadata"].pop(field, None)
    left["metadata"].get("labels", {}).pop("kubernetes.io/metadata.name", None)
    left.pop("status", None)
    pod = left.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("initContainers", ()):
        del container["name"]
    for container in pod.get("containers", ()):
        container["args"] = sorted(container["args"])
    return left


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Paths of fields; labels and what only one of the two has count as one field."""
    if type(ours) is not type(theirs) or path == ".metadata.labels":
        if ours != theirs:
            yield path.removeprefix(".")
    elif isinstance(ours, dict):
        for key in ours.keys() | theirs.keys():
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}.{number}")
    elif ours != theirs:
        yield path.removeprefix(".")


@pytest.fixture
def applied(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Iterator[list[Any]]:
    """Velero as rendered, in a namespace of its own; no server runs there."""
    assert cli.main(["render", "velero", *PLACE, "-n", ALONE]) == ExitStatus.GOOD
    made = list(yaml.safe_load_all(capsys.readouterr().out))
    for one in made:
        cluster.api.create(one)
    yield made
    cluster.api.delete(RBAC, "ClusterRoleBinding", None, f"velero-{ALONE}")
    cluster.api.delete("v1", "Namespace", None, ALONE)


def test_what_is_rendered_is_admitted_and_a_check_says_what_is_left_to_do(
    applied: list[Any], cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_only_its_own_pods_are_admitted(applied, cluster)
    assert codes(cluster, capsys) - OF_THE_CLUSTER == {
        "location-not-validated",
        "location-secret-missing",
        "no-schedule",
    }
    metadata = {"namespace": ALONE, "name": "cloud-credentials"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    cluster.api.create({**secret, "stringData": {"cloud": "x"}})
    assert cli.main(["render", "schedule", "--take", "shop", "-n", ALONE]) == ExitStatus.GOOD
    cluster.api.create(yaml.safe_load(capsys.readouterr().out))
    assert codes(cluster, capsys) - OF_THE_CLUSTER == {"location-not-validated"}


def assert_only_its_own_pods_are_admitted(applied: list[Any], cluster: Cluster) -> None:
    """By the level of its namespace: none with a folder of its host."""
    path = f"{cluster.api.path('v1', 'Pod', ALONE)}?dryRun=All"
    for one in applied:
        if one["kind"] in ("Deployment", "DaemonSet"):
            template = one["spec"]["template"]
            metadata = {**template["metadata"], "name": one["metadata"]["name"]}
            pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata}
            cluster.api.request("POST", path, pod)
            volumes = [*pod["spec"]["volumes"], {"name": "host", "hostPath": {"path": "/var/lib"}}]
            pod["spec"] = {**pod["spec"], "volumes": volumes}
            with pytest.raises(ApiError, match="violates PodSecurity"):
                cluster.api.request("POST", path, pod)


def codes(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> set[str]:
    kubeconfig = str(cluster.control_plane.kubeconfig("admin"))
    cli.main(["check", "--kubeconfig", kubeconfig, "-n", ALONE, "-o", "json"])
    return {one["code"] for one in json.loads(capsys.readouterr().out)["findings"]}


def test_the_image_is_that_of_the_tests() -> None:
    assert VELERO_IMAGE.endswith(f":{VELERO_VERSION}")
