"""`stillpoint verify` of a real Velero's backups, in a cluster where KubeVirt is played."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from stillpoint.evidence import verified
from stillpoint.verification import clearing, scratch
from tests.cluster import s3, verify_account, verifying
from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.evidence_guests import give_agent
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.scratch_guests import Guest, ScratchGuests, Start, Told, is_going
from tests.cluster.velero import API_VERSION, NAMESPACE
from tests.cluster.verifying import Guests, Verifier, left, named
from tests.cluster.watcher import Watcher, lost_race

SHOP = "verified"
DB = Machine(SHOP, "db", disks=(Disk("root"), Disk("data", "Block")))
WEB, MUTE, NEVER, LOST = (Machine(SHOP, name) for name in ("web", "mute", "never", "lost"))
SAFE = Machine(SHOP, "safe", is_running=False)
OURS = {"stillpoint.dev/snapshotter": "all"}
KUBEVIRT = "kubevirt.io/v1"
PROTECTION = "kubevirt.io/vm-delete-protection"


@dataclass(frozen=True)
class Shop:
    """A cluster with the backup `verified`."""

    cluster: Cluster
    records: dict[str, str]


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[Shop]:
    with s3.serving(cluster):
        cluster.create_namespace(SHOP)
        cluster.create_vms([DB, WEB, MUTE, NEVER, LOST, SAFE])
        give_vtpm(cluster, SAFE)
        protect(cluster, SAFE)
        give_agent(cluster, DB, cluster.folder / "guests" / SHOP)
        back_up(cluster, SHOP, {"snapshotVolumes": False}, OURS)
        lose_disk(cluster)
        yield Shop(cluster, {"db": "db-1"})


def back_up(
    cluster: Cluster, namespace: str, spec: Object, annotations: Mapping[str, str] | None = None
) -> None:
    spec = {"includedNamespaces": [namespace], "storageLocation": s3.LOCATION, **spec}
    backup = cluster.backup(namespace, spec, annotations=annotations)
    assert backup["status"]["phase"] == "Completed", backup
    verifying.wait_until_over(cluster, namespace)


def bare(namespace: str, name: str) -> Machine:
    return Machine(namespace, name, is_running=False, has_instancetype=False, has_cloud_init=False)


def give_vtpm(cluster: Cluster, machine: Machine) -> None:
    tpm = {"domain": {"devices": {"tpm": {"persistent": True}}}}
    change = {"spec": {"template": {"spec": tpm}}}
    cluster.api.patch(KUBEVIRT, "VirtualMachine", machine.namespace, machine.name, change)


def protect(cluster: Cluster, machine: Machine) -> None:
    change = {"metadata": {"labels": {PROTECTION: "True"}}}
    cluster.api.patch(KUBEVIRT, "VirtualMachine", machine.namespace, machine.name, change)


@contextmanager
def protecting(cluster: Cluster) -> Iterator[None]:
    """OpenShift Virtualization's policy, as its SSP operator makes it, is in effect meanwhile."""
    group, name = "admissionregistration.k8s.io/v1", "vm-delete-protection"
    policy = "ValidatingAdmissionPolicy"
    label = f"oldObject.metadata.?labels[?'{PROTECTION}'].orValue('')"
    rule = {"apiGroups": ["kubevirt.io"], "apiVersions": ["*"], "resources": ["virtualmachines"]}
    rules = {"resourceRules": [{**rule, "operations": ["DELETE"]}]}
    validations = [{"expression": f"!({label} in ['true', 'True'])", "message": "it is protected"}]
    specs = {
        policy: {"matchConstraints": rules, "validations": validations},
        f"{policy}Binding": {"policyName": name, "validationActions": ["Deny"]},
    }
    for kind, spec in specs.items():
        made = {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec}
        cluster.api.create(made)
    path = cluster.api.path(KUBEVIRT, "VirtualMachine", SAFE.namespace, SAFE.name)
    try:
        wait_until(lambda: is_denied(cluster, f"{path}?dryRun=All"), "the policy is in effect")
        yield
    finally:
        for kind in specs:
            cluster.api.delete(group, kind, None, name)


def is_denied(cluster: Cluster, path: str) -> bool:
    try:
        cluster.api.request("DELETE", path)
    except ApiError as error:
        return "it is protected" in str(error)
    return False


def lose_disk(cluster: Cluster) -> None:
    """The storage has lost the snapshot of a disk since it was taken."""
    [cut] = cluster.snapshots_cut()[f"{SHOP}/{LOST.claim(LOST.disks[0])}"]
    lost = cluster.storage.folder / "snapshots" / cut.snapshot
    (shutil.rmtree if lost.is_dir() else Path.unlink)(lost)


@pytest.fixture
def verifier(shop: Shop, capsys: pytest.CaptureFixture[str]) -> Verifier:
    return Verifier(shop.cluster, verify_account.give(shop.cluster), capsys)


def only(document: Any) -> Any:
    [machine] = document["machines"]
    return machine


def test_a_good_machine_comes_back_with_its_applications(
    shop: Shop, verifier: Verifier, tmp_path: Path
) -> None:
    cluster, began = shop.cluster, verifying.now()
    snapshots = cluster.storage.snapshots()
    with ScratchGuests(cluster, Guests(tmp_path, shop.records).start):
        status, document = verifier.json(SHOP, "db", "-y")
    found = only(document)
    assert (found["cameBack"], found["agreement"]) == ("application", "confirmed"), found
    assert status == 0
    assert left(cluster) == []
    assert cluster.storage.snapshots() == snapshots
    assert verifying.writes(cluster, SHOP, began) == []
    requests = verifying.requests(cluster, began)
    longer_s = max(0.0, (verifying.now() - began).total_seconds() - verifying.QUIET_S)
    assert requests.total() <= verifying.OF_RUN + 30 + longer_s, (longer_s, requests)
    deleted = {one.resource for one in requests if one.verb == "delete"}
    assert deleted >= {"persistentvolumeclaims", "virtualmachines", "volumesnapshots"}, deleted
    backup = cluster.api.get(API_VERSION, "Backup", NAMESPACE, SHOP)
    assert verified.of(backup)[f"{SHOP}/db"].came_back == "application"


def test_how_far_each_machine_comes(shop: Shop, verifier: Verifier, tmp_path: Path) -> None:
    """Velero restores one after the other: who is to come has more time than who is waited for."""
    guests = Guests(tmp_path, shop.records, silent={"mute"}, never={"never"})
    with ScratchGuests(shop.cluster, guests.start):
        good = verifier.json(SHOP, "web", "safe", "-y", "--at-once", "2")
        others = ("mute", "never", "lost")
        bad = verifier.json(SHOP, *others, "-y", "--timeout", "120", "--at-once", "3")
    found = {one["name"]: one for _, document in (good, bad) for one in document["machines"]}
    assert {name: one["cameBack"] for name, one in found.items()} == {
        "web": "guest",
        "mute": "booted",
        "never": "not",
        "lost": "not",
        "safe": "guest",
    }, found
    assert (good[0], bad[0]) == (0, 1)
    assert "lost-root was not bound in time: Pending" in str(found["lost"]["missing"])
    assert "firmware UUID" in str(found["safe"]["notes"])
    # whose claim never comes keeps its snapshot, and so its namespace, until csi-provisioner sweeps
    wait_until(lambda: left(shop.cluster) == [], "nothing is left", 120)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("db-9", "its disk carries record db-9, and the evidence is of record db-1"),
        ("db-1", "not answering after 0.5 s: postgresql:15/main"),
    ],
)
def test_what_contradicts_the_evidence_is_said_first(
    shop: Shop, verifier: Verifier, tmp_path: Path, record: str, said: str
) -> None:
    """Of a disk that is not the one that was backed up, and of a database that does not start."""
    cluster = shop.cluster
    guests = Guests(tmp_path, {"db": record}, dead=set() if record == "db-9" else {"db"})
    with ScratchGuests(cluster, guests.start):
        status, document = verifier.json(SHOP, "db", "-y")
    found = only(document)
    assert (found["agreement"], status) == ("contradicted", 1), found
    [contradiction] = found["contradictions"]
    assert said in contradiction
    kept = verified.of(cluster.api.get(API_VERSION, "Backup", NAMESPACE, SHOP))
    assert said in kept[f"{SHOP}/db"].why
    assert left(cluster) == []


def test_a_quota_that_is_too_small_says_nothing_of_the_backup(
    shop: Shop, verifier: Verifier, tmp_path: Path
) -> None:
    """Somebody gives each new namespace a quota, as clusters do with projects."""
    with (
        ScratchGuests(shop.cluster, Guests(tmp_path, shop.records).start),
        verifying.SmallQuotas(shop.cluster),
    ):
        status, document = verifier.json(SHOP, "web", "-y", "--timeout", "150")
    found = only(document)
    assert (found["cameBack"], status) == ("not tried", 3), found
    assert "quota: small" in str(found["missing"])
    assert left(shop.cluster) == []


@pytest.mark.parametrize(
    "resource",
    [
        "virtualmachines.kubevirt.io",
        pytest.param("persistentvolumeclaims", marks=pytest.mark.exhaustive),
        pytest.param("volumesnapshots.snapshot.storage.k8s.io", marks=pytest.mark.exhaustive),
    ],
)
def test_without_a_right_its_namespace_goes_later(
    shop: Shop, verifier: Verifier, tmp_path: Path, resource: str
) -> None:
    """As for an account that was made for an earlier version."""
    cluster = shop.cluster
    snapshots = cluster.storage.snapshots()
    with (
        ScratchGuests(cluster, Guests(tmp_path, shop.records).start),
        verify_account.without(cluster, "delete", resource),
    ):
        status, document = verifier.json(SHOP, "web", "-y")
    found = only(document)
    assert (found["cameBack"], status) == ("guest", 0), found
    [note] = found["notes"]
    assert "its namespace goes later than it could" in note
    assert resource.partition(".")[0] in note
    assert left(cluster) == []
    assert cluster.storage.snapshots() == snapshots


def test_a_machine_that_never_goes_is_named(
    shop: Shop, verifier: Verifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its finalizer is KubeVirt's to drop."""
    monkeypatch.setattr(clearing, "NAMESPACE_S", 20.0)
    cluster = shop.cluster
    with ScratchGuests(cluster, Guests(tmp_path, shop.records).start) as guests:
        guests.lets_go = False
        status, document = verifier.json(SHOP, "web", "-y")
        guests.lets_go = True
        found = only(document)
        assert (found["cameBack"], status) == ("guest", 3), found
        [told] = [one for one in found["left"] if one.startswith("namespace")]
        assert "kubevirt.io/virtualMachineControllerFinalize" in told
        wait_until(lambda: left(cluster) == [], "its namespace is gone")


def test_a_machine_that_is_protected_from_deletion_is_deleted(
    shop: Shop, verifier: Verifier, tmp_path: Path
) -> None:
    """Its original stays protected."""
    cluster, guests = shop.cluster, Guests(tmp_path, shop.records)
    with ScratchGuests(cluster, guests.start), protecting(cluster):
        status, document = verifier.json(SHOP, "safe", "-y")
        assert (only(document)["cameBack"], status) == ("guest", 0), document
        assert left(cluster) == []
    original = cluster.api.get(KUBEVIRT, "VirtualMachine", SHOP, "safe")
    assert original["metadata"]["labels"][PROTECTION] == "True"


@pytest.fixture(scope="module")
def many(shop: Shop) -> str:
    """The backup of five machines, by Velero's own snapshots."""
    back_up_many(shop.cluster, "verified-many", 5)
    return "verified-many"


def back_up_many(cluster: Cluster, namespace: str, number: int) -> None:
    cluster.create_namespace(namespace)
    cluster.create_vms(bare(namespace, f"vm-{one:02}") for one in range(number))
    back_up(cluster, namespace, {})


def test_five_machines_two_at_a_time(
    shop: Shop, verifier: Verifier, many: str, tmp_path: Path
) -> None:
    """`make exhaustive` has twenty."""
    assert_come_two_at_a_time(shop.cluster, verifier, many, 5, tmp_path)


@pytest.mark.exhaustive
def test_twenty_machines_two_at_a_time(shop: Shop, verifier: Verifier, tmp_path: Path) -> None:
    back_up_many(shop.cluster, "verified-twenty", 20)
    assert_come_two_at_a_time(shop.cluster, verifier, "verified-twenty", 20, tmp_path)


@dataclass(kw_only=True)
class InCompany(Told):
    """A guest whose agent does not answer before others are where they are wanted."""

    has_company: Callable[[], bool]

    def has_agent(self) -> bool:
        return self.has_company()


def in_company(guests: Guests, has_company: Callable[[], bool]) -> Start:
    """As `guests`, each of which waits for the others."""

    def start(instance: Object, volumes: Mapping[str, Path]) -> Guest | None:
        guest = guests.start(instance, volumes)
        assert isinstance(guest, Told)
        return InCompany(guest.console, has_company=has_company)

    return start


def assert_come_two_at_a_time(
    cluster: Cluster, verifier: Verifier, backup: str, number: int, folder: Path
) -> None:
    start = in_company(Guests(folder, {}), lambda: played.most_at_once > 1)
    with ScratchGuests(cluster, start) as played:
        status, document = verifier.json(backup, "-y", "--at-once", "2")
    assert [one["cameBack"] for one in document["machines"]] == ["guest"] * number, document
    assert status == 0
    assert played.most_at_once == 2
    assert left(cluster) == []


def test_commands_at_once_do_not_meet(
    shop: Shop, verifier: Verifier, many: str, tmp_path: Path
) -> None:
    """Two on one backup, which others change all the time, one on another, and a clean-up.

    None of them ends before the clean-up has.
    """
    cluster, account, began = shop.cluster, verify_account.give(shop.cluster), verifying.now()
    have_met = Event()
    start = in_company(Guests(tmp_path, shop.records), have_met.is_set)
    with (
        ScratchGuests(cluster, start),
        Restless(cluster, SHOP),
        verifying.spawned(account, SHOP, "db", "-o", "json") as db,
        verifying.spawned(account, SHOP, "web", "-o", "json") as web,
        verifying.spawned(account, many, "vm-00", "-o", "junit") as other,
    ):

        def are_at_once() -> bool:
            assert [run.poll() for run in (db, web, other)] == [None] * 3, "one has ended"
            return len(objects(cluster, "Restore")) == 3

        wait_until(are_at_once, "all of them")
        assert verifier.run("--clean-up", "-y")[0] == 0
        have_met.set()
        documents = [verifying.ended(run) for run in (db, web)]
        junit, errors = other.communicate()
    found = {only(document)["name"]: only(document) for _status, document in documents}
    assert {name: one["cameBack"] for name, one in found.items()} == {
        "db": "application",
        "web": "guest",
    }
    assert [*(status for status, _document in documents), other.returncode] == [0, 0, 0], errors
    whole = ET.fromstring(junit)  # noqa: S314 - our own
    assert "vm-00" in [case.attrib["name"] for case in whole.iter("testcase")], junit
    assert left(cluster) == []
    kept = verified.of(cluster.api.get(API_VERSION, "Backup", NAMESPACE, SHOP))
    assert {f"{SHOP}/db", f"{SHOP}/web"} <= {name for name, one in kept.items() if one.at >= began}


class Restless(Watcher):
    """Annotates a Backup again and again, as somebody else.

    Not so often that a command which is slow on a busy machine never comes in between.
    """

    def __init__(self, cluster: Cluster, backup: str) -> None:
        self._backup = cluster.api, (API_VERSION, "Backup", NAMESPACE, backup)
        self._numbers = count()
        super().__init__(every_s=0.1)

    def look(self) -> None:
        api, where = self._backup
        annotations = {"example.com/number": str(next(self._numbers))}
        with lost_race():
            api.patch(*where, {"metadata": {"annotations": annotations}})


@pytest.mark.parametrize(
    "moment", ["Namespace", "Restore", "VirtualMachine", "VirtualMachineInstance", "Pod"]
)
def test_an_interrupted_run_leaves_nothing(shop: Shop, tmp_path: Path, moment: str) -> None:
    """SIGTERM when an object of that kind is there first."""
    cluster = shop.cluster
    snapshots = cluster.storage.snapshots()
    guests = Guests(tmp_path, {})  # says nothing, and is waited for
    account = verify_account.give(cluster)
    with ScratchGuests(cluster, guests.start), verifying.spawned(account, SHOP, "db") as run:
        wait_until(lambda: bool(objects(cluster, moment)), f"a {moment}", 120)
        run.send_signal(signal.SIGTERM)
        output, errors = run.communicate(timeout=200)
    assert run.returncode == 130, errors
    assert "not tried" in output
    assert left(cluster) == []
    assert cluster.storage.snapshots() == snapshots


def test_a_run_that_is_interrupted_as_it_deletes_goes_on_with_that(
    shop: Shop, tmp_path: Path
) -> None:
    cluster = shop.cluster
    snapshots = cluster.storage.snapshots()
    account = verify_account.give(cluster)
    with ScratchGuests(cluster, Guests(tmp_path, shop.records).start) as guests:
        guests.lets_go = False
        with verifying.spawned(account, SHOP, "db") as run:
            wait_until(lambda: any(map(is_going, objects(cluster, "VirtualMachine"))), "clear", 120)
            run.send_signal(signal.SIGTERM)
            guests.lets_go = True
            output, errors = run.communicate(timeout=200)
    assert run.returncode == 130, errors
    assert "confirmed" in output
    assert left(cluster) == []
    assert cluster.storage.snapshots() == snapshots


def test_what_an_impatient_person_leaves_is_told(shop: Shop, tmp_path: Path) -> None:
    """A second signal comes while all is being deleted: the Restore takes its time."""
    cluster = shop.cluster
    snapshots = cluster.storage.snapshots()
    account = verify_account.give(cluster)
    with (
        ScratchGuests(cluster, Guests(tmp_path, {}).start),
        verifying.spawned(account, SHOP, "db", "-o", "json", errors=subprocess.STDOUT) as run,
    ):
        wait_until(lambda: bool(objects(cluster, "Pod")), "its guest", 120)
        [restore] = objects(cluster, "Restore")
        name = restore["metadata"]["name"]
        keep(cluster, name, *restore["metadata"]["finalizers"], "example.com/kept")
        run.send_signal(signal.SIGTERM)
        wait_until(lambda: any(map(is_going, objects(cluster, "Namespace"))), "clearing")
        run.send_signal(signal.SIGTERM)
        output, _errors = run.communicate(timeout=200)
        assert run.returncode == 130, output
        told = f"not deleted: namespace {name} and its Restore of this name: interrupted; HINT: "
        assert output.endswith(f"{told}stillpoint verify --clean-up, later\n")
        assert '"cameBack": "not tried"' in output.partition(told)[0], output
        keep(cluster, name)
        wait_until(lambda: left(cluster) == [], "what was in deletion has gone")
    assert cluster.storage.snapshots() == snapshots


def killed(cluster: Cluster) -> str:
    """The namespace of a run that was killed while its guest ran; its time has not come."""
    with verifying.spawned(verify_account.give(cluster), SHOP, "db"):
        wait_until(lambda: bool(objects(cluster, "Pod")), "its guest", 120)
    [pod] = objects(cluster, "Pod")
    return str(pod["metadata"]["namespace"])


def end_time(cluster: Cluster, name: str) -> None:
    past = {"metadata": {"annotations": {scratch.LONGEST: "0s"}}}
    cluster.api.patch("v1", "Namespace", None, name, past)


def test_what_a_killed_run_has_left_is_deleted_later(
    shop: Shop, verifier: Verifier, tmp_path: Path
) -> None:
    cluster = shop.cluster
    snapshots = cluster.storage.snapshots()
    with ScratchGuests(cluster, Guests(tmp_path, {}).start):
        name = killed(cluster)
        assert verifier.run("--clean-up", "-y")[0] == 0
        assert name in left(cluster), "its time has not come"
        end_time(cluster, name)
        status, _output, errors = verifier.run("--clean-up")
        assert (status, name in left(cluster)) == (3, True), "nobody was asked"
        assert name in errors
        status, _output, errors = verifier.run("--clean-up", "-y")
        assert status == 0, errors
    assert [one for one in left(cluster) if one.startswith(scratch.PREFIX)] == []
    assert cluster.storage.snapshots() == snapshots


def test_no_guest_of_a_killed_run_runs_on_where_its_namespace_stays(
    shop: Shop, verifier: Verifier, tmp_path: Path
) -> None:
    cluster = shop.cluster
    snapshots = cluster.storage.snapshots()
    with ScratchGuests(cluster, Guests(tmp_path, {}).start) as guests:
        name = killed(cluster)
        end_time(cluster, name)
        content = content_of(cluster, name)
        change_policy(cluster, content, "Delete")
        status, _output, errors = verifier.run("--clean-up", "-y")
        assert status == 3, errors
        assert f"not deleted: namespace {name}: it stays, for VolumeSnapshotContent" in errors
        assert f"{name}: its guest was ended" in errors
        assert "may run on" not in errors
        assert guests.of(name, "db").has_ended
        assert cluster.storage.snapshots() == snapshots
        change_policy(cluster, content, "Retain")
        status, _output, errors = verifier.run("--clean-up", "-y")
        assert status == 0, errors
    assert left(cluster) == []
    assert cluster.storage.snapshots() == snapshots


def test_forged_namespaces_that_never_go_are_named_and_keep_nothing_from_going(
    shop: Shop, verifier: Verifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may create namespaces can label them, and put what never goes into them."""
    monkeypatch.setattr(clearing, "NAMESPACE_S", 10.0)
    cluster = shop.cluster
    names = [f"{scratch.PREFIX}0{number}" for number in range(3)]
    with ExitStack() as stack:
        for one in names:
            stack.enter_context(forged(cluster, one))
        stack.enter_context(ScratchGuests(cluster, Guests(tmp_path, {}).start))
        name = killed(cluster)
        for one in (*names, name):
            end_time(cluster, one)
        for again in ("", " (being deleted)"):
            status, _output, errors = verifier.run("--clean-up", "-y")
            assert status == 3, errors
            for one in names:
                assert f"  {one}  shop/db{again}\n" in errors
                assert f"not deleted: namespace {one} is being deleted: " in errors
            wait_until(lambda: name not in left(cluster), "what the run has left is gone")
    wait_until(lambda: left(cluster) == [], "nothing is left")


@contextmanager
def forged(cluster: Cluster, name: str) -> Iterator[None]:
    about = {scratch.LONGEST: "3600s", scratch.MACHINE: "shop/db", scratch.BACKUP: "velero/forged"}
    metadata: Object = {"name": name, "labels": {scratch.LABEL: "forged"}, "annotations": about}
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    metadata = {"name": "stuck", "namespace": name, "finalizers": ["example.com/stuck"]}
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    try:
        yield
    finally:
        cluster.api.patch("v1", "ConfigMap", name, "stuck", {"metadata": {"finalizers": None}})
        with lost_race():
            cluster.api.delete("v1", "Namespace", None, name)


def content_of(cluster: Cluster, namespace: str) -> str:
    """A VolumeSnapshotContent of the Restore into a namespace."""
    found = [
        one["metadata"]["name"]
        for one in cluster.api.list(*verifying.CONTENTS)
        if one["spec"]["volumeSnapshotRef"]["namespace"] == namespace
    ]
    return str(found[0])


def change_policy(cluster: Cluster, content: str, policy: str) -> None:
    change = {"spec": {"deletionPolicy": policy}}
    cluster.api.patch(*verifying.CONTENTS, None, content, change)


def keep(cluster: Cluster, restore: str, *finalizers: str) -> None:
    change = {"metadata": {"finalizers": list(finalizers)}}
    cluster.api.patch(API_VERSION, "Restore", NAMESPACE, restore, change)


def objects(cluster: Cluster, kind: str) -> list[Object]:
    """Objects of a kind that verifications have made."""
    versions = {"Namespace": "v1", "Pod": "v1", "Restore": API_VERSION}
    return [
        one
        for one in cluster.api.list(versions.get(kind, KUBEVIRT), kind)
        if named(one).startswith(scratch.PREFIX)
    ]
