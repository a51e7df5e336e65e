"""The stand-in for KubeVirt in scratch namespaces does what verifications rely on."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

import pytest

from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import create_namespace, wait_until
from tests.cluster.node import CONSOLE_LOG, is_true
from tests.cluster.scratch_guests import (
    AGENT,
    OF_INSTANCE,
    SCRATCH,
    Guest,
    ScratchGuests,
    Told,
    launcher_pod,
    made_instance,
)
from tests.cluster.virt_controller import INSTANCE, KUBEVIRT
from tests.cluster.watcher import lost_race

QUOTA = ("v1", "ResourceQuota")
COUNT = "count/virtualmachineinstances.kubevirt.io"


@pytest.fixture
def lab(cluster_without_velero: Cluster) -> Iterator[Cluster]:
    """Without its machines at the end: they would start beside those of other tests, too."""
    cluster = cluster_without_velero
    yield cluster
    for namespace in cluster.api.list("v1", "Namespace", labels=SCRATCH):
        cluster.delete_namespace(namespace["metadata"]["name"])


def halted(lab: Cluster, namespace: str) -> Object:
    """A machine with a disk, in a scratch namespace."""
    create_namespace(lab.api, namespace)
    lab.api.patch("v1", "Namespace", None, namespace, {"metadata": {"labels": {SCRATCH: "run"}}})
    disks = (Disk("root", "Block"),)
    machine = Machine(namespace, "db", disks=disks, is_running=False, has_instancetype=False)
    return lab.create_vm(machine).virtual_machine


def start(lab: Cluster, machine: Object, template: Object | None = None) -> None:
    change: Object = {"runStrategy": "Once"}
    if template:
        change["template"] = {"spec": template}
    where = (KUBEVIRT, "VirtualMachine", machine["metadata"]["namespace"], "db")
    lab.api.patch(*where, {"spec": change})


def forbid(lab: Cluster, namespace: str) -> None:
    """No instance may be there; returns when the API server says so.

    It refuses what it cannot count yet, too: kube-controller-manager looks every half minute for
    new definitions.
    """
    metadata = {"name": "none", "namespace": namespace}
    made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
    lab.api.create({**made, "spec": {"hard": {COUNT: "0"}}})
    wait_until(
        lambda: COUNT in lab.api.get(*QUOTA, namespace, "none").get("status", {}).get("hard", {}),
        "the quota is in effect",
    )


def instance(lab: Cluster, namespace: str) -> Object:
    return lab.api.find(*INSTANCE, namespace, "db") or {}


def test_a_quota_keeps_instances_away_until_it_is_deleted(lab: Cluster, tmp_path: Path) -> None:
    namespace, console = "scratch-quota", tmp_path / "console"
    console.write_text("")
    machine = halted(lab, namespace)
    forbid(lab, namespace)
    with pytest.raises(ApiError, match=r"(exceeded|status unknown for) quota: none") as caught:
        lab.api.create(made_instance(machine))
    assert caught.value.status == 403

    with ScratchGuests(lab, lambda *_: Told(console)) as guests:
        start(lab, machine)
        wait_until(lambda: bool(guests.of(namespace, "db").refused), "it is refused")
        found = lab.api.get(KUBEVIRT, "VirtualMachine", namespace, "db")
        assert is_true(found, "Failure")
        assert not instance(lab, namespace)
        lab.api.delete(*QUOTA, namespace, "none")
        wait_until(lambda: is_true(instance(lab, namespace), AGENT), "the guest runs")


def test_a_guest_starts_from_its_disks_and_ends_with_its_namespace(
    lab: Cluster, tmp_path: Path
) -> None:
    namespace, console = "scratch-life", tmp_path / "console"
    given: dict[str, Path] = {}
    console.write_text("@stillpoint {}\n")

    def started(_: Object, volumes: Mapping[str, Path]) -> Guest:
        given.update(volumes)
        return Told(console)

    machine = halted(lab, namespace)
    with ScratchGuests(lab, started) as guests:
        start(lab, machine)
        wait_until(lambda: is_true(instance(lab, namespace), AGENT), "the guest runs")
        assert given == {"root": lab.disk_image(namespace, "db-root")}
        [pod] = lab.api.list("v1", "Pod", namespace)
        path = lab.api.path("v1", "Pod", namespace, pod["metadata"]["name"])
        log = {"container": CONSOLE_LOG, "timestamps": True}
        wait_until(lambda: "@stillpoint" in lab.api.text(f"{path}/log", **log), "its console")
        lab.api.delete("v1", "Namespace", None, namespace)
        wait_until(
            lambda: lab.api.find("v1", "Namespace", None, namespace) is None, "nothing is left"
        )
        wait_until(lambda: guests.of(namespace, "db").has_ended, "the guest has ended")


def test_a_disk_that_goes_while_it_is_looked_at_ends_nothing(lab: Cluster, tmp_path: Path) -> None:
    """Its bytes are gone before its claim reads so, as when a verification clears."""
    namespace, console = "scratch-gone", tmp_path / "console"
    console.write_text("")
    machine = halted(lab, namespace)
    volume = lab.disk_path(namespace, "db-root")
    (lab.storage.folder / "claims" / namespace / "db-root").unlink()
    with ScratchGuests(lab, lambda *_: Told(console)):
        start(lab, machine)
        wait_until(lambda: bool(instance(lab, namespace)), "there is an instance")
        lab.storage.link(namespace, "db-root", volume.name)
        wait_until(lambda: is_true(instance(lab, namespace), AGENT), "the guest runs")


def test_a_disk_that_goes_while_its_guest_starts_ends_nothing(lab: Cluster, tmp_path: Path) -> None:
    namespace, console = "scratch-going", tmp_path / "console"
    console.write_text("")
    machine = halted(lab, namespace)
    volume, has_failed = lab.disk_path(namespace, "db-root"), Event()
    away = volume.with_name("away")

    def started(_: Object, volumes: Mapping[str, Path]) -> Guest:
        if not has_failed.is_set():
            volume.rename(away)
        try:
            volumes["root"].read_bytes()
        finally:
            has_failed.set()
        return Told(console)

    with ScratchGuests(lab, started):
        start(lab, machine)
        wait_until(has_failed.is_set, "the guest finds no disk")
        away.rename(volume)
        wait_until(lambda: is_true(instance(lab, namespace), AGENT), "the guest runs")


def test_whoever_is_later_than_the_end_of_a_namespace_has_lost_a_race(lab: Cluster) -> None:
    """As a launcher pod is, and a finalizer, when a verification clears meanwhile."""
    namespace = "scratch-ending"
    made = lab.api.create(made_instance(halted(lab, namespace)))
    lab.api.delete(*INSTANCE, namespace, "db")
    lab.api.delete("v1", "Namespace", None, namespace)
    more = {"metadata": {"finalizers": [OF_INSTANCE, "example.com/late"]}}
    with pytest.raises(ApiError) as of_pod:
        lab.api.create(launcher_pod(made))
    with pytest.raises(ApiError) as of_finalizer:
        lab.api.patch(*INSTANCE, namespace, "db", more)
    assert (of_pod.value.status, of_finalizer.value.status) == (403, 422)
    for refusal in (of_pod.value, of_finalizer.value):
        with lost_race():
            raise refusal


@pytest.mark.parametrize(("word", "count"), [(None, 1), (False, 0)])
def test_without_a_word_a_guest_has_an_interface(
    lab: Cluster, word: bool | None, count: int
) -> None:
    namespace = f"scratch-interfaces-{count}"
    machine = halted(lab, namespace)
    devices = {"interfaces": None, "autoattachPodInterface": word}
    with ScratchGuests(lab, lambda *_: None):
        start(lab, machine, {"networks": None, "domain": {"devices": devices}})
        wait_until(lambda: bool(instance(lab, namespace)), "there is an instance")
    spec = instance(lab, namespace)["spec"]
    assert len(spec.get("networks", ())) == count
    assert len(spec["domain"]["devices"].get("interfaces", ())) == count
