"""More of the behaviour matrix (test_matrix.py): what needs snapshots, or labels on the Restore.

Machines and DataVolumes are selected by a label that they alone have. The ids are those of
kubevirt-velero-plugin's functional tests; where it has none, the name says what it is about.
"""

from dataclasses import dataclass

import pytest

from tests.cluster import matrix_guests
from tests.cluster.api import Api, Object, Objects
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.storage import CLASS, wait_until_bound

SOURCE, RESTORED = "matrix-more", "matrix-more-restored"
LABEL = {"matrix": "more"}
UID_LABEL = "velero.kubevirt.io/pvc-uid"
PREPOPULATED = "cdi.kubevirt.io/storage.prePopulated"
KUBEVIRT, CDI = "kubevirt.io/v1", "cdi.kubevirt.io/v1beta1"
MACHINE = (KUBEVIRT, "VirtualMachine")
CLAIM = ("v1", "PersistentVolumeClaim")
REVISION = ("apps/v1", "ControllerRevision")
STATE = "persistent-state-for-stateful-x7k2p"

_LABELS = tuple(LABEL.items())
SIZED = Machine(SOURCE, "sized", is_running=False, labels=_LABELS)
WIDE = Machine(SOURCE, "wide", is_running=False, is_instancetype_cluster_wide=True, labels=_LABELS)
EQUIPPED = Machine(SOURCE, "equipped", is_running=False, has_instancetype=False, labels=_LABELS)
PLAIN = Machine(SOURCE, "plain", has_instancetype=False, labels=_LABELS)
HOT = Machine(SOURCE, "hot", hotplugged=(Disk("extra"),), has_instancetype=False, labels=_LABELS)
STATEFUL = Machine(SOURCE, "stateful", is_running=False, has_instancetype=False, labels=_LABELS)
MACHINES = (SIZED, WIDE, EQUIPPED, PLAIN, HOT, STATEFUL)
DISKS = (
    Machine(SOURCE, "imported", is_running=False, has_instancetype=False),
    Machine(SOURCE, "cloned", is_running=False, has_instancetype=False),
)
"""DataVolumes and their claims, without the machine that they were made for."""


@dataclass
class More:
    """One backup by label, all of it restored into another namespace, and parts of it by label."""

    cluster: Cluster
    before: dict[str, Object]
    """Machines as they were at the backup."""
    uids: dict[str, str]
    """Of the claims."""

    def restore(self, name: str, spec: Object, labels: dict[str, str] | None = None) -> str:
        """The namespace that it went to."""
        target = f"matrix-more-{name}"
        where = {"backupName": SOURCE, "namespaceMapping": {SOURCE: target}}
        restore = self.cluster.restore(target, where | spec, labels=labels)
        assert restore["status"]["phase"] == "Completed", self.cluster.restore_log(target)
        return target

    def machine(self, name: str, namespace: str = RESTORED) -> Object:
        return self.cluster.api.get(*MACHINE, namespace, name)

    def assert_bytes(self, namespace: str, *claims: str) -> None:
        wait_until_bound(self.cluster.api, namespace)
        for claim in claims:
            held = self.cluster.disk_image(namespace, claim).read_bytes()
            assert held.startswith(content(claim)), claim


def content(claim: str) -> bytes:
    return f"{claim} at the backup ".encode() * 1000


@pytest.fixture(scope="module")
def more(cluster: Cluster) -> More:
    api = cluster.api
    cluster.create_namespace(SOURCE)
    created = cluster.create_vms((*MACHINES, *DISKS))
    equip(api)
    give_state(api)
    matrix_guests.use_the_claim_itself(api, PLAIN, is_running=True)
    matrix_guests.delete(api, PLAIN, "DV", owned=("PVC",))
    matrix_guests.patch(api, SIZED, "PVC", {"metadata": {"labels": {UID_LABEL: "of-somebody"}}})
    for disk in DISKS:
        matrix_guests.delete(api, disk, "VM", owned=("DV",))
        matrix_guests.patch(api, disk, "DV", {"metadata": {"labels": LABEL}})
    gone = {"pvc": {"namespace": "gone", "name": "golden"}, "registry": None}
    matrix_guests.patch(api, DISKS[1], "DV", {"spec": {"source": gone}})
    wait_until_bound(api, SOURCE)
    claims = api.list(*CLAIM, SOURCE)
    for claim in claims:
        name = claim["metadata"]["name"]
        cluster.disk_image(SOURCE, name).write_bytes(content(name))

    before = {each.name: api.get(*MACHINE, SOURCE, each.name) for each in MACHINES}
    spec = {"includedNamespaces": [SOURCE], "labelSelector": {"matchLabels": LABEL}}
    backup = cluster.backup(SOURCE, spec)
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(SOURCE)
    for each in created:
        change_and_delete(api, each.revisions)
    uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in claims}
    made = More(cluster, before, uids)
    made.restore("restored", {})
    return made


def equip(api: Api) -> None:
    """A machine with a config map, a secret, a service account, and a secret with its keys."""
    for kind, data in (("ConfigMap", {"data": {"a": "b"}}), ("Secret", {"stringData": {"a": "b"}})):
        metadata = EQUIPPED.metadata("equipped-" + kind.lower())
        api.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **data})
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": EQUIPPED.metadata("deploy"),
    }
    keys = {"apiVersion": "v1", "kind": "Secret", "metadata": EQUIPPED.metadata("equipped-keys")}
    api.create(account)
    api.create(keys | {"stringData": {"key": "ssh-ed25519 AAAA"}})
    template = api.get(*MACHINE, SOURCE, EQUIPPED.name)["spec"]["template"]["spec"]
    volumes: Objects = [
        *template["volumes"],
        {"name": "config", "configMap": {"name": "equipped-configmap"}},
        {"name": "hidden", "secret": {"secretName": "equipped-secret"}},
        {"name": "account", "serviceAccount": {"serviceAccountName": "deploy"}},
    ]
    source = {"secret": {"secretName": "equipped-keys"}}
    method: Object = {"qemuGuestAgent": {"users": ["root"]}}
    credentials = [{"sshPublicKey": {"source": source, "propagationMethod": method}}]
    change = {"volumes": volumes, "accessCredentials": credentials}
    matrix_guests.patch(api, EQUIPPED, "VM", {"spec": {"template": {"spec": change}}})


def give_state(api: Api) -> None:
    """A machine with a persistent vTPM, and the claim of KubeVirt's that keeps its state."""
    devices = {"devices": {"tpm": {"persistent": True}}}
    change: Object = {"spec": {"template": {"spec": {"domain": devices}}}}
    matrix_guests.patch(api, STATEFUL, "VM", change)
    labels = {"persistent-state-for": STATEFUL.name}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "16Mi"}},
        "storageClassName": CLASS,
        "volumeMode": "Filesystem",
    }
    metadata = STATEFUL.metadata(STATE) | {"labels": labels}
    api.create({"apiVersion": "v1", "kind": CLAIM[1], "metadata": metadata, "spec": spec})


def change_and_delete(api: Api, revisions: tuple[Object, ...]) -> None:
    """Instancetype and preference after the backup: of another size, then gone."""
    for revision in revisions:
        data = revision["data"]
        where = (data["apiVersion"], data["kind"], data["metadata"].get("namespace"))
        name = data["metadata"]["name"]
        if data["kind"].endswith("Instancetype"):
            api.patch(*where, name, {"spec": {"memory": {"guest": "8Gi"}}})
        api.delete(*where, name)


@pytest.mark.parametrize("guest", [disk.name for disk in DISKS])
def test_9682_9683_9684_a_data_volume_alone_also_a_clone_whose_source_is_gone(
    more: More, guest: str
) -> None:
    name = f"{guest}-root"
    found = more.cluster.api.get(CDI, "DataVolume", RESTORED, name)
    assert found["metadata"]["annotations"][PREPOPULATED] == name, "CDI would fill it again"
    more.assert_bytes(RESTORED, name)


@pytest.mark.parametrize(
    ("id_there", "name"), [("10270 namespaced", "sized"), ("10274 of the cluster", "wide")]
)
def test_an_instancetype_changed_and_deleted_since_comes_back_as_it_was(
    more: More, id_there: str, name: str
) -> None:
    status = more.before[name]["status"]
    machine = more.machine(name)
    for field in ("instancetype", "preference"):
        revision = status[f"{field}Ref"]["controllerRevisionRef"]["name"]
        assert machine["spec"][field]["revisionName"] == revision, id_there
        restored = more.cluster.api.get(*REVISION, RESTORED, revision)
        before = more.cluster.api.get(*REVISION, SOURCE, revision)
        assert restored["data"] == before["data"]


@pytest.mark.parametrize(
    ("id_there", "kind", "name"),
    [
        ("10271", "ConfigMap", "equipped-configmap"),
        ("10271", "Secret", "equipped-secret"),
        ("10271", "ServiceAccount", "deploy"),
        ("10272", "Secret", "equipped-keys"),
    ],
)
def test_10271_10272_what_volumes_and_access_credentials_name_comes_without_a_label(
    more: More, id_there: str, kind: str, name: str
) -> None:
    before = more.cluster.api.get("v1", kind, SOURCE, name)
    restored = more.cluster.api.get("v1", kind, RESTORED, name)
    assert restored.get("data") == before.get("data"), id_there


def test_10273_a_machine_with_a_plain_claim_comes_back_and_is_to_run(more: More) -> None:
    assert more.machine(PLAIN.name)["spec"]["runStrategy"] == "Always"
    more.assert_bytes(RESTORED, "plain-root")


def test_10275_a_hot_plugged_disk_comes_back_which_kvp_has_no_test_of(more: More) -> None:
    volumes = more.machine(HOT.name)["spec"]["template"]["spec"]["volumes"]
    plugged = {"name": "hot-extra", "hotpluggable": True}
    assert {"name": "extra", "dataVolume": plugged} in volumes
    more.assert_bytes(RESTORED, "hot-root", "hot-extra")


def test_backend_claim_of_a_persistent_vtpm_comes_back_under_its_name_with_its_bytes(
    more: More,
) -> None:
    found = more.cluster.api.get(*CLAIM, RESTORED, STATE)
    assert found["metadata"]["labels"]["persistent-state-for"] == STATEFUL.name
    more.assert_bytes(RESTORED, STATE)


@pytest.mark.parametrize("strategy", ["Always", "Halted"])
def test_restore_label_run_strategy(more: More, strategy: str) -> None:
    labels = {"velero.kubevirt.io/restore-run-strategy": strategy}
    spec = {"includedResources": ["virtualmachines"]}
    target = more.restore(f"strategy-{strategy.lower()}", spec, labels)
    found = more.cluster.api.list(*MACHINE, target)
    assert len(found) == len(MACHINES)
    assert {each["spec"]["runStrategy"] for each in found} == {strategy}


def test_restore_labels_clear_mac_addresses_and_give_new_firmware(more: More) -> None:
    labels = {
        "velero.kubevirt.io/clear-mac-address": "true",
        "velero.kubevirt.io/generate-new-firmware-uuid": "true",
    }
    target = more.restore("identity", {"includedResources": ["virtualmachines"]}, labels)
    found = more.cluster.api.list(*MACHINE, target)
    domains = [each["spec"]["template"]["spec"]["domain"] for each in found]
    old = {str(machine.firmware_uuid) for machine in MACHINES}
    new = {domain["firmware"]["uuid"] for domain in domains}
    assert len(new) == len(MACHINES)
    assert new & old == {str(STATEFUL.firmware_uuid)}, "the state of its vTPM is found by it"
    assert not any(domain["devices"]["interfaces"][0].get("macAddress") for domain in domains)


@pytest.mark.parametrize("claim", ["sized-root", "hot-extra"])
def test_labelling_one_claim_by_its_uid_comes_back_alone_with_the_user_s_own_label(
    more: More, claim: str
) -> None:
    select = {"labelSelector": {"matchLabels": {UID_LABEL: more.uids[claim]}}}
    target = more.restore(f"uid-{claim}", select)
    api = more.cluster.api
    [found] = api.list(*CLAIM, target)
    assert found["metadata"]["name"] == claim
    own = "of-somebody" if claim == "sized-root" else None
    assert found["metadata"]["labels"].get(UID_LABEL) == own
    assert api.list(*MACHINE, target) == []
    more.assert_bytes(target, claim)
