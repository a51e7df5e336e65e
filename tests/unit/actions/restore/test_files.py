"""Machines with a disk that Velero fills through a user's pod: they start when it has done so."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from stillpoint.actions.restore import virtual_machine as action
from stillpoint.actions.restore import virtual_machine_instance
from stillpoint.model.errors import Forbidden, ReadFailed, Refusal, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.velero.volumes import pod_volume
from tests.unit.actions.restore.test_arrival import NOT_STARTED, START_AS, UID, World
from tests.unit.contexts import NOW, restore_context
from tests.unit.dictionary_reader import DictionaryReader, merged

COPIES = "list podvolumebackups.velero.io velero"
BEFORE, SINCE = (NOW - timedelta(days=1)).isoformat(), (NOW + timedelta(seconds=1)).isoformat()


def asked(**conditions: str) -> Item:
    annotations = {f"stillpoint.dev/{key.replace('_', '-')}": conditions[key] for key in conditions}
    metadata = {"name": "back", "namespace": "velero", "uid": UID, "annotations": annotations}
    return {
        "kind": "Restore",
        "metadata": metadata | {"creationTimestamp": NOW.isoformat()},
        "spec": {"backupName": "nightly", "namespaceMapping": {"shop": "copy"}},
    }


def machine(name: str = "db", strategy: str = "Always") -> Item:
    volumes = [
        {"name": disk, "persistentVolumeClaim": {"claimName": f"{name}-{disk}"}}
        for disk in ("root", "data")
    ]
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"runStrategy": strategy, "template": {"spec": {"volumes": volumes}}},
    }


def instance() -> Item:
    return {
        "kind": "VirtualMachineInstance",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": machine()["spec"]["template"]["spec"],
    }


def claim(name: str, namespace: str = "copy", created: str = SINCE, phase: str = "Bound") -> Item:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": namespace, "uid": f"uid-{name}",
            "creationTimestamp": created,
        },
        "spec": {"volumeName": f"v-{name}"},
        "status": {"phase": phase},
    }  # fmt: skip


def pod(name: str = "copier", disk: str = "db-data", **labels: str) -> Item:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": disk}}]},
        "status": {"phase": "Running"},
    }


def saved(
    disk: str = "db-data", through: str = "copier", phase: str = "Completed", snapshot: str = "k1"
) -> Item:
    made = pod_volume.new("nightly", ("shop", disk), through, phase, snapshot)
    found: Item = merged(made, {"metadata": {"namespace": "velero"}})
    return found


def filling(phase: str, disk: str = "db-data", restore: str = UID, **fields: str) -> Item:
    """A PodVolumeRestore."""
    labels = {"velero.io/pvc-uid": f"uid-{disk}", "velero.io/restore-uid": restore}
    name = fields.pop("name", "back-x7")
    return {
        "kind": "PodVolumeRestore",
        "metadata": {"name": name, "namespace": "velero", "labels": labels} | fields,
        "status": {"phase": phase} | ({"message": "no space"} if phase == "Failed" else {}),
    }


SNAPSHOT = {"metadata": {"annotations": {"velero.io/volume-snapshot-name": "s"}}}
STORED = [
    merged(claim("db-root", "shop"), SNAPSHOT),
    claim("db-data", "shop"),
    {
        "kind": "PersistentVolume",
        "metadata": {"name": "v-db-data"},
        "spec": {"persistentVolumeReclaimPolicy": "Delete"},
    },
    pod(),
]
BACKUP: Item = {
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero"},
    "spec": {"defaultVolumesToFsBackup": True},
}
CLAIMS = [claim("db-root"), claim("db-data")]


class Refusing(DictionaryReader):
    """A cluster that gives no answer about one resource."""

    def __init__(self, objects: Sequence[Item], resource: Resource, failure: ReadFailed) -> None:
        super().__init__(objects)
        self._refused, self._failure = resource, failure

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        if resource == self._refused:
            raise self._failure
        return super().list(resource, namespace, labels)


class Copies(World):
    """A restore of the backup `nightly`, whose pod `copier` mounts db-data."""

    def __init__(
        self, *objects: Item, restore: Item | None = None, stored: Sequence[Item] = STORED
    ) -> None:
        super().__init__(restore or asked(), BACKUP, *objects)
        self.stored = stored


def waiting(*objects: Item, restore: Item | None = None) -> Copies:
    """The machine is created; then Velero has made the claims."""
    world = Copies(saved(), restore=restore)
    world.create(machine())
    for one in (*CLAIMS, *objects):
        world.set(one)
    return world


def test_a_machine_is_created_halted_and_starts_when_velero_has_put_back_the_files() -> None:
    world = waiting(filling("InProgress"))
    created = world.machine()
    assert created["spec"]["runStrategy"] == "Halted"
    assert created["metadata"]["annotations"] == {START_AS: "Always"}
    assert world.cluster.questions.count(COPIES) == 1

    progress = world.tick()
    assert not progress.completed
    assert progress.description == (
        "copy/db: 0 of 1 disks bound; db-data is filled through pod copier: PodVolumeRestore "
        "back-x7 InProgress"
    )
    world.set(filling("Completed"))
    progress = world.tick()
    assert (progress.completed, progress.error) == (True, "")
    assert progress.description == "copy/db: 1 of 1 disks bound; started as Always"
    assert world.machine()["spec"]["runStrategy"] == "Always"


def test_a_disk_without_files_to_come_is_left_to_kubevirt_as_without_waiting() -> None:
    world = waiting(filling("Completed"), claim("db-root", phase="Pending"))
    assert world.tick().completed
    assert world.started() == ["db"]


def test_a_restore_that_waits_for_disks_waits_for_these_as_well() -> None:
    world = waiting(
        filling("Completed"), claim("db-root", phase="Pending"), restore=asked(wait="disks")
    )
    assert world.tick().description == "copy/db: 1 of 2 disks bound; db-root is Pending"
    assert world.started() == []
    world.set(claim("db-root"))
    assert world.tick().completed
    assert world.started() == ["db"]


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (
            [*CLAIMS, filling("Failed")],
            "db-data lacks files of pod copier: PodVolumeRestore back-x7 Failed: no space",
        ),
        (
            [*CLAIMS, filling("Completed"), filling("Canceled", name="back-x8")],
            "db-data lacks files of pod copier: PodVolumeRestore back-x8 Canceled",
        ),
        (CLAIMS, "db-data lacks its files: Velero has made no PodVolumeRestore for pod copier"),
        ([CLAIMS[0]], "db-data does not exist"),
    ],
)
@pytest.mark.parametrize("wait", ["none", "disks"])
def test_a_machine_stays_halted_and_says_why_where_the_files_did_not_come(
    there: Sequence[Item], why: str, wait: str
) -> None:
    """At once: Velero asks about operations when all of its PodVolumeRestores have ended."""
    world = Copies(saved(), restore=asked(wait=wait))
    world.create(machine())
    world.cluster.objects += there
    progress = world.tick()
    assert progress.completed
    assert progress.error.startswith(f"copy/db: {why}; it stays halted, Always is noted")
    assert world.started() == []
    assert why in world.machine()["metadata"]["annotations"][NOT_STARTED]


def test_files_that_never_come_end_the_wait_with_the_time_out() -> None:
    world = waiting(filling("InProgress"), restore=asked(wait_timeout="90s"))
    assert not world.tick().completed
    progress = world.tick(after=80)
    assert "back-x7 InProgress; gave up after 90 s; it stays halted" in progress.error
    assert world.started() == []


def test_a_machine_that_somebody_has_started_is_left_alone() -> None:
    world = waiting(filling("Completed"))
    world.set(merged(world.machine(), {"spec": {"runStrategy": "Once"}}))
    assert world.tick().completed
    assert world.cluster.patches == {}


@pytest.mark.parametrize(
    "stored",
    [
        STORED[:3],
        [*STORED[:3], pod("virt-launcher-db-x", **{"kubevirt.io": "virt-launcher"})],
        [*STORED[:3], pod(disk="other")],
    ],
)
def test_nothing_is_listed_where_no_pod_of_a_user_mounts_a_disk(stored: Sequence[Item]) -> None:
    world = Copies(saved(), stored=stored)
    world.create(machine())
    assert COPIES not in world.cluster.questions


KEPT = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
NEVER_MADE = "to be copied as files through pod copier, of which Velero has no PodVolumeBackup"


@pytest.mark.parametrize(
    "there",
    [
        [],
        [saved(disk="other")],
        [merged(saved(), {"metadata": {"labels": {"velero.io/backup-name": "other"}}})],
    ],
    ids=["none", "another disk", "another backup"],
)
def test_a_machine_does_not_start_on_a_disk_of_which_velero_made_no_copy(
    there: Sequence[Item], caplog: pytest.LogCaptureFixture
) -> None:
    world = Copies(*there)
    created = world.create(machine())
    assert created["spec"]["runStrategy"] == "Halted"
    [(_mark, why)] = created["metadata"]["annotations"].items()
    assert why.startswith("its disks db-data come back empty; it was to run as Always")
    assert f"and is not started: db-data ({NEVER_MADE}; it comes back empty)" in caplog.text
    assert world.operations == {"db": ""}
    assert world.cluster.questions.count(COPIES) == 1


def test_a_lone_instance_of_whose_disk_velero_made_no_copy_is_refused() -> None:
    context = restore_context(asked(), instance(), DictionaryReader([BACKUP]), archive=STORED)
    with pytest.raises(Refusal, match=rf"without the data of its disks: db-data \({NEVER_MADE}"):
        virtual_machine_instance.execute(instance(), context)


def test_a_disk_without_files_that_were_to_be_copied_by_a_policy_alone_has_no_copy() -> None:
    by_policy = merged(BACKUP, {
        "spec": {
            "defaultVolumesToFsBackup": None,
            "resourcePolicy": {"kind": "configmap", "name": "policies"},
        },
    })  # fmt: skip
    world = Copies()
    world.set(by_policy)
    [text] = [one.name for one in world.execute(machine()).additional]
    assert "db-data (the backup has no copy of its data; it comes back empty)" in text
    world.set(saved())
    assert world.create(machine())["metadata"]["annotations"] == {START_AS: "Always"}


def test_a_disk_that_had_no_files_is_whole_without_any() -> None:
    world = Copies(saved(snapshot=""))
    created = world.create(machine())
    assert created["spec"]["runStrategy"] == "Always"
    assert world.operations == {"db": ""}


def test_a_disk_that_was_there_keeps_its_bytes_where_velero_made_no_copy() -> None:
    world = Copies(claim("db-data", created=BEFORE), copier(SINCE))
    assert world.create(machine())["spec"]["runStrategy"] == "Always"


def test_a_disk_of_which_velero_made_no_copy_comes_back_on_its_volume_if_that_is_kept() -> None:
    stored = [merged(one, KEPT) if one["kind"] == "PersistentVolume" else one for one in STORED]
    world = Copies(stored=stored)
    assert world.create(machine())["spec"]["runStrategy"] == "Always"
    world = Copies(saved(through="another"), stored=stored)
    assert world.create(machine())["spec"]["runStrategy"] == "Halted"


def test_a_copy_through_another_pod_than_those_that_come_back_is_none() -> None:
    world = Copies(saved(through="another"))
    [text] = [one.name for one in world.execute(machine()).additional]
    assert "copied as files through pod another, which the restore does not bring back" in text


def test_a_copy_through_a_pod_of_kubevirt_is_told_as_one_that_nothing_brings_back() -> None:
    launcher = pod("virt-launcher-db-x", **{"kubevirt.io": "virt-launcher"})
    world = Copies(saved(through="virt-launcher-db-x"), stored=[*STORED, launcher])
    [text] = [one.name for one in world.execute(machine()).additional]
    assert "copied as files through a pod of KubeVirt, which no restore brings back" in text


def test_a_machine_does_not_start_on_a_disk_whose_files_could_not_be_saved() -> None:
    world = Copies(saved(phase="Failed", snapshot=""))
    world.create(machine())
    world.cluster.objects += CLAIMS
    assert "db-data lacks its files: Velero has made no PodVolumeRestore" in world.tick().error
    assert world.started() == []


def test_a_disk_that_was_there_keeps_its_bytes_where_files_could_not_be_saved() -> None:
    there = claim("db-data", created=BEFORE), copier(SINCE)
    world = Copies(saved(phase="Failed", snapshot=""), *there)
    assert world.create(machine())["spec"]["runStrategy"] == "Always"


@pytest.mark.parametrize("strategy", ["Halted", "Manual"])
def test_a_machine_that_is_not_to_start_waits_for_nothing(strategy: str) -> None:
    world = Copies(saved())
    created = world.create(machine(strategy=strategy))
    assert created["spec"]["runStrategy"] == strategy
    assert world.operations == {"db": ""}


def copier(created: str) -> Item:
    metadata = {"namespace": "copy", "creationTimestamp": created}
    found: Item = merged(pod(), {"metadata": metadata})
    return found


def test_a_disk_that_was_there_with_its_pod_keeps_its_bytes_and_is_not_waited_for() -> None:
    world = Copies(saved(), claim("db-data", created=BEFORE), copier(BEFORE))
    assert world.create(machine())["spec"]["runStrategy"] == "Always"


def test_a_pod_that_the_restore_has_created_fills_a_disk_that_was_there() -> None:
    world = Copies(saved(), claim("db-data", created=BEFORE), copier(SINCE))
    assert world.create(machine())["spec"]["runStrategy"] == "Halted"


def test_a_second_restore_starts_what_the_first_left_halted_only_if_its_files_are_there() -> None:
    world = waiting(filling("Failed"), copier(BEFORE))
    assert world.tick().error
    for one in CLAIMS:
        world.set(merged(one, {"metadata": {"creationTimestamp": BEFORE}}))
    world.asked = merged(asked(), {"metadata": {"uid": "second"}})
    world.create(machine())
    assert "back-x7 Failed" in world.tick().error
    later = filling("Completed", creationTimestamp=SINCE, name="by-hand", restore="third")
    world.set(later)
    world.create(machine())
    assert world.tick().completed
    assert world.started() == ["db"]


def forbidden(resource: Resource) -> Forbidden:
    return Forbidden(f"{resource} in namespace velero", "cannot list", "HTTP 403")


def test_without_the_right_the_first_machine_says_so_and_all_come_back_as_they_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored = [*STORED, pod("other", "web-data"), claim("web-data", "shop")]
    world = Copies(stored=stored)
    refused = pod_volume.BACKUP
    world.cluster = Refusing(world.cluster.objects, refused, forbidden(refused))
    archive = restore_context(world.asked, machine(), world.cluster, archive=stored).archive
    warnings = []
    for name in ("db", "web"):
        context = restore_context(world.asked, machine(name), world.cluster, archive=stored)
        object.__setattr__(context, "archive", archive)
        outcome = action.execute(machine(name), context)
        assert outcome.item["spec"]["runStrategy"] == "Always"
        warnings += [one.name for one in outcome.additional if one.resource == "warnings"]
    told = "may start before Velero has put back the files of their disks"
    assert [text for text in warnings if told in text] == [
        f"db and others {told}: no right to list podvolumebackups.velero.io in velero"
    ]
    said = [one.message for one in caplog.records if one.levelno == logging.WARNING]
    assert sum(told in text for text in said) == 1


def test_an_api_server_that_does_not_answer_fails_the_machine() -> None:
    world = Copies()
    failure = Unreachable("podvolumebackups", "cannot list", "HTTP 503")
    world.cluster = Refusing(world.cluster.objects, pod_volume.BACKUP, failure)
    with pytest.raises(Unreachable):
        world.execute(machine())


def test_without_the_right_to_see_how_the_copying_went_nothing_is_started() -> None:
    world = waiting(filling("Completed"))
    refused = pod_volume.RESTORE
    world.cluster = Refusing(world.cluster.objects, refused, forbidden(refused))
    progress = world.tick()
    assert progress.completed
    assert "db-data may lack its files: podvolumerestores.velero.io" in progress.error
    assert world.started() == []


def test_a_disk_does_not_come_where_only_machines_are_wanted_and_not_its_pod() -> None:
    world = Copies(saved(), restore=asked(only="db"), stored=[*STORED, machine()])
    outcome = world.execute(machine())
    assert outcome.item["spec"]["runStrategy"] == "Halted"
    told = "copied as files through a pod, which no machine of stillpoint.dev only needs"
    [text] = [one.name for one in outcome.additional if one.resource == "warnings"]
    assert told in text


def test_a_lone_instance_is_refused_because_it_starts_when_it_is_created() -> None:
    cluster = DictionaryReader([BACKUP, saved()])
    context = restore_context(asked(), instance(), cluster, archive=STORED)
    with pytest.raises(Refusal, match=r"files of its disks: db-data \(pod copier\)"):
        virtual_machine_instance.execute(instance(), context)
