"""The operation of a machine: its id, and the evidence that it stores when all is taken."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stillpoint.actions.backup import virtual_machine, virtual_machine_instance
from stillpoint.actions.backup.evidence import facts
from stillpoint.actions.backup.evidence import machine as evidence
from stillpoint.actions.backup.evidence.demand import Demand
from stillpoint.actions.backup.evidence.operation import Operation
from stillpoint.actions.item_block import virtual_machine_instance as block
from stillpoint.actions.watching import observer, state
from stillpoint.evidence import console, document, observations
from stillpoint.evidence.document import Evidence, Span, Subject
from stillpoint.evidence.observations import Cut, Heard, Look, Method, Observations, State
from stillpoint.evidence.sealed import Key
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, MalformedRequest
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.outcome import Progress
from stillpoint.velero import seal_secret
from tests.unit.actions.evidence.world import (
    BACKUP,
    COMPUTE,
    ENDED,
    HELD,
    KEY,
    OVER,
    RELEASED,
    SHOP,
    UID_KEY,
    WITHOUT_SECRET,
    claim,
    instance,
    launcher,
    machine,
    observing,
    snapshot,
    upload,
)
from tests.unit.contexts import NOW, Hands
from tests.unit.dictionary_reader import DictionaryReader

SECOND = timedelta(seconds=1)
MACHINE = Subject("VirtualMachine", "db", "vm-db")
ID = "evidence;VirtualMachine;shop;db;vm-db;;;"


def cut(name: str = "db-root", **facts: Any) -> Cut:
    of = Subject("PersistentVolumeClaim", name, f"claim-{name}")
    bounds = {"not_before": NOW + SECOND, "not_after": NOW + 2 * SECOND, "in_block_of": ("db",)}
    return Cut(of, **{**bounds, "machines": ("db",), "snapshot": f"snapshot-{name}", **facts})


def seen(*lines: bytes, **facts: Any) -> Observations:
    """Observations of the running guest, watched from before the hook on."""
    heard = [console.parse(one) for one in lines]
    at = dict(zip(heard, (0.5, 4.5, 4.6), strict=False))
    return Observations(
        namespace="shop",
        machine=MACHINE,
        started=NOW - timedelta(minutes=1),
        began=NOW,
        is_before_hook=True,
        has_hook=True,
        has_console=True,
        looks=(Look(NOW, state.of(instance())),),
        watches=(Span(NOW, NOW),),
        version="80",
        lines=tuple(Heard(one, NOW + at[one] * SECOND, is_live=True) for one in heard if one),
        **facts,
    )


def annotated(item: Item, *documents: Cut | Observations, key: Key = KEY) -> Item:
    for one in documents:
        kind = observations.CUT if isinstance(one, Cut) else observations.OBSERVED
        item["metadata"]["annotations"][kind] = observations.to_annotation(one, key)
    return item


def world(*documents: Cut | Observations, without: Sequence[str] = ()) -> DictionaryReader:
    objects = [one for one in SHOP if one["kind"] not in ("VolumeSnapshot", *without)]
    return DictionaryReader([*objects, annotated(snapshot(), *documents)])


def concluded(
    reader: DictionaryReader, operation: str = ID, after: timedelta = 20 * SECOND
) -> Progress:
    return virtual_machine.progress(operation, observing(reader, ENDED, Hands(NOW + after)))


def stored(reader: DictionaryReader, kind: str = "VolumeSnapshot", key: Key = KEY) -> Evidence:
    [item] = [one for one in reader.objects if one["kind"] == kind]
    found = document.of(item, key)
    assert found
    return found


def test_a_machine_that_said_it_is_at_rest_reached_application() -> None:
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    progress = concluded(reader)
    assert (progress.completed, progress.error) == (True, "")
    assert progress.description.startswith("shop/db: application (1 disk, stood still ")
    found = stored(reader)
    assert (found.level, found.machine_level, found.record) == (
        Level.APPLICATION,
        Level.APPLICATION,
        "r-1",
    )
    assert (found.machine, found.applications) == (MACHINE, ("postgresql:15/main",))


def test_it_waits_until_what_kubevirt_says_of_the_guest_has_settled() -> None:
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    progress = concluded(reader, after=8 * SECOND)
    assert (progress.completed, progress.error) == (False, "")
    assert not reader.patches


def test_the_process_of_the_backup_itself_which_velero_asks_first_concludes_nothing() -> None:
    """Its lists are older than what it has made since, and what it saw is not stored yet."""
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    context = observing(reader, BACKUP, Hands(NOW + 20 * SECOND))
    assert not virtual_machine.progress(ID, context).completed
    assert not reader.questions


def test_without_what_the_first_process_saw_nothing_is_assumed() -> None:
    reader = world(cut())
    progress = concluded(reader)
    assert progress.completed
    assert stored(reader).level is Level.UNKNOWN
    assert "not-observed" in {one.code for one in stored(reader).missing}


@pytest.mark.parametrize(
    "forged",
    [
        observations.to_annotation(seen(HELD, RELEASED, OVER), Key("another backup")),
        "{}",
        "no JSON",
        '{"v": 2, "seal": 7}',
    ],
)
def test_what_bears_no_seal_of_this_backup_counts_for_nothing(forged: str) -> None:
    reader = world(cut())
    [item] = [one for one in reader.objects if one["kind"] == "VolumeSnapshot"]
    item["metadata"]["annotations"][observations.OBSERVED] = forged
    assert concluded(reader).completed
    assert stored(reader).level is Level.UNKNOWN


def in_a_namespace_with(label: str, key: Key, backup: Item) -> Evidence:
    """The evidence of a machine beside a disk with a label, by notes under the seal of a key."""
    noted = annotated(snapshot(), cut(), seen(HELD, RELEASED, OVER), key=key)
    grouped = claim("web-root")
    grouped["metadata"]["labels"] = {label: "web"}
    kept = [one for one in SHOP if one["kind"] != "VolumeSnapshot"]
    reader = DictionaryReader([*kept, noted, grouped])
    spec = {"volumeGroupSnapshotLabelKey": "velero.io/group"}
    context = observing(reader, {**backup, "spec": spec}, Hands(NOW + 20 * SECOND))
    assert virtual_machine.progress(ID, context).completed
    return stored(reader, key=Key.of_backup(backup))


ENDED_WITHOUT_SECRET: Item = {**WITHOUT_SECRET, "status": ENDED["status"]}


def test_where_velero_s_own_groups_show_the_uid_the_secret_seals() -> None:
    assert in_a_namespace_with("velero.io/group", KEY, ENDED).level is Level.APPLICATION


def test_who_reads_the_uid_forges_nothing_where_there_is_a_secret() -> None:
    """Not even as a plugin without a secret would have written it."""
    found = in_a_namespace_with("velero.io/group", UID_KEY, ENDED)
    assert found.level is Level.UNKNOWN
    assert "not-observed" in {one.code for one in found.missing}


@pytest.mark.parametrize(
    ("label", "level"), [("velero.io/group", Level.UNKNOWN), ("group", Level.APPLICATION)]
)
def test_without_a_secret_no_seal_counts_where_the_uid_is_shown(label: str, level: Level) -> None:
    """Whoever reads it can write what bears the seal."""
    found = in_a_namespace_with(label, UID_KEY, ENDED_WITHOUT_SECRET)
    assert found.level is level
    is_told = "uid-shown" in {one.code for one in found.missing}
    assert is_told is (level is Level.UNKNOWN)


def test_the_secret_of_a_copied_manifest_is_not_that_of_the_backup() -> None:
    """It may be known by now, and evidence under its seal may be at hand."""
    annotations = {seal_secret.ANNOTATION: "uid of the original.s1"}
    copy = {**ENDED, "metadata": {**ENDED["metadata"], "annotations": annotations}}
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    context = observing(reader, copy, Hands(NOW + 20 * SECOND))
    assert virtual_machine.progress(ID, context).completed
    assert stored(reader, key=UID_KEY).level is Level.UNKNOWN


def test_notes_of_a_snapshot_count_for_no_other_of_its_name() -> None:
    """Who deletes it can make another one, of a moment when nothing is frozen."""
    reader = world(cut(snapshot="the one before"), seen(HELD, RELEASED, OVER))
    assert concluded(reader).completed
    found = stored(reader)
    assert (found.level, found.cut) == (Level.UNKNOWN, Span(None, None))
    assert found.snapshot == "snapshot-db-root"


def test_what_is_noted_in_a_namespace_is_read_once_for_all_its_machines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    [item] = [one for one in reader.objects if one["kind"] == "VolumeSnapshot"]
    item["metadata"]["annotations"][observations.OBSERVED] = "{}"
    context = observing(reader, ENDED, Hands(NOW + 20 * SECOND))
    for name in ("db", "web"):
        virtual_machine.progress(f"evidence;VirtualMachine;shop;{name};vm-{name};;;", context)
    assert caplog.text.count("under the seal of this backup") == 1


def test_observations_of_a_machine_of_the_same_name_count_for_nothing() -> None:
    other = replace(seen(HELD, RELEASED, OVER), machine=replace(MACHINE, uid="of-before"))
    reader = world(cut(), other)
    concluded(reader)
    assert stored(reader).level is Level.UNKNOWN


def test_a_cut_of_another_claim_counts_for_nothing() -> None:
    reader = world(cut("db-data"), seen(HELD, RELEASED, OVER))
    concluded(reader)
    assert stored(reader).level is Level.UNKNOWN
    assert stored(reader).claim.name == "db-root"


def test_a_machine_that_never_ran_is_stopped() -> None:
    off = machine(is_running=False)
    kept = [one for one in SHOP if one["kind"] == "PersistentVolumeClaim"]
    bare = cut(machines=(), in_block_of=(), not_before=NOW - timedelta(minutes=1))
    reader = DictionaryReader([off, *kept, annotated(snapshot(), bare)])
    operation = virtual_machine.execute(off, observing(reader)).operation
    assert operation == "evidence;VirtualMachine;shop;db;vm-db;70;;"
    assert concluded(reader, operation).description == "shop/db: stopped (1 disk)"
    assert stored(reader).level is Level.STOPPED


def test_a_machine_that_changed_meanwhile_is_not_known_to_be_stopped() -> None:
    off = machine(is_running=False)
    bare = cut(machines=(), in_block_of=(), not_before=NOW - timedelta(minutes=1))
    reader = DictionaryReader([off, annotated(snapshot(), bare)])
    concluded(reader, "evidence;VirtualMachine;shop;db;vm-db;69;;")
    assert stored(reader).level is Level.UNKNOWN


def test_moved_data_has_its_evidence_on_the_upload() -> None:
    moved = upload()
    moved["metadata"]["annotations"] = {}
    objects = [one for one in SHOP if one["kind"] != "VolumeSnapshot"]
    told = annotated(moved, cut(method=Method.MOVED, snapshot=""), seen(HELD, RELEASED, OVER))
    reader = DictionaryReader([*objects, told])
    assert concluded(reader).completed
    assert stored(reader, "DataUpload").level is Level.APPLICATION


def test_a_disk_that_is_copied_as_files_leaves_the_machine_unknown() -> None:
    copying = launcher()
    copying["metadata"]["annotations"]["backup.velero.io/backup-volumes"] = "db-root"
    volume = {"kind": "PersistentVolume", "metadata": {"name": "pv-db-root"}, "spec": {}}
    kept = (machine(), instance(), claim(), copying, volume)
    progress = concluded(DictionaryReader(kept))
    assert progress.completed
    assert progress.description.startswith("shop/db: unknown (1 disk): ")
    assert "copies its files" in progress.description


def test_without_a_disk_there_is_no_level() -> None:
    kept = [machine(), instance(), launcher()]
    assert concluded(DictionaryReader(kept)).description == "shop/db: no disk is taken"


def test_a_demand_on_a_machine_without_a_disk_is_no_error() -> None:
    """Such as one whose disks are all in container images: there is nothing to be consistent."""
    kept = [machine(), instance(), launcher()]
    progress = concluded(DictionaryReader(kept), f"{ID[:-1]}application;")
    assert (progress.completed, progress.error) == (True, "")


@pytest.mark.parametrize("uid", ["", "of-another"])
def test_a_machine_that_is_gone_and_did_not_run_is_not_without_a_disk(uid: str) -> None:
    there = machine()
    there["metadata"]["uid"] = uid
    gone = DictionaryReader([there] if uid else [])
    progress = concluded(gone, "evidence;VirtualMachine;shop;db;vm-db;70;crash;")
    assert "shop/db: unknown: " in progress.description
    assert "it was deleted during the backup" in progress.error


def other_pod(phase: str = "Running", **mount: Any) -> Item:
    """A pod of no machine with the machine's disk, as `virtctl guestfs` makes it."""
    used = {"name": "disk", **mount}
    where = "volumeMounts" if "mountPath" in used else "volumeDevices"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "libguestfs-tools-db-root", "namespace": "shop"},
        "spec": {
            "containers": [{"name": "libguestfs", where: [used]}],
            "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "db-root"}}],
        },
        "status": {"phase": phase},
    }


def ended_pod(moment: timedelta, kind: str = "containerStatuses") -> Item:
    """One that ended at a moment of the node's clock; the backup began a minute before `NOW`."""
    ended = {"terminated": {"finishedAt": (NOW + moment).isoformat()}}
    return it.with_value(other_pod("Failed", mountPath="/disk"), [{"state": ended}], "status", kind)


DEBUGGED = other_pod(mountPath="/disk", readOnly=True)
DEBUGGED["spec"]["ephemeralContainers"] = other_pod(mountPath="/disk")["spec"]["containers"]


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(
    "pod",
    [
        other_pod(mountPath="/disk"),
        other_pod(devicePath="/dev/vda"),
        other_pod("Pending"),
        pytest.param(DEBUGGED, id="a container to debug it may write"),
        pytest.param(ended_pod(SECOND), id="ended right after the cut"),
        pytest.param(ended_pod(-119 * SECOND, "initContainerStatuses"), id="as it began, by then"),
    ],
)
def test_a_disk_that_a_pod_of_no_machine_may_write_to_is_unknown(
    pod: Item, is_running: bool
) -> None:
    """Nobody freezes that pod, and no machine that stands still or is off says what it did."""
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    if not is_running:
        reader = DictionaryReader(
            [machine(is_running=False), claim(), annotated(snapshot(), cut())]
        )
    reader.objects.append(pod)
    operation = ID if is_running else ID.replace("vm-db;;", "vm-db;70;")
    context = observing(reader, ENDED, Hands(NOW + 60 * SECOND))
    assert evidence.conclude(operation, context).completed
    found = stored(reader)
    assert (found.level, found.machine_level) == (Level.UNKNOWN, Level.UNKNOWN)
    [missing] = [one for one in found.missing if one.code == "shared-with-pod"]
    assert missing.says.endswith("may write to it: libguestfs-tools-db-root")


def pod_of(name: str, *, is_attachment: bool) -> Sequence[Item]:
    """A pod with the machine's disk, of a machine of this name."""
    used = {"name": "compute", "volumeDevices": [{"name": "db-root", "devicePath": "/dev/db"}]}
    own = launcher(name)
    mounting = it.with_value(own, [used], "spec", "containers")
    mounting = it.with_value(mounting, launcher()["spec"]["volumes"], "spec", "volumes")
    if not is_attachment:
        return (mounting,)
    metadata = {
        "name": f"hp-volume-{name}",
        "namespace": "shop",
        "uid": f"attaches-{name}",
        "labels": {"kubevirt.io": "hotplug-disk"},
        "ownerReferences": [{"kind": "Pod", "name": it.name(own), "uid": it.uid(own)}],
    }
    return own, {**mounting, "metadata": metadata}


def with_attachment(name: str) -> Item:
    attached = {"name": "root", "hotplugVolume": {"attachPodUID": f"attaches-{name}"}}
    return instance(name, volumeStatus=[attached])


@pytest.mark.parametrize("is_attachment", [True, False])
def test_a_disk_of_a_machine_that_the_backup_knows_nothing_of_is_unknown(
    *, is_attachment: bool
) -> None:
    """Its pods are left out: nobody freezes that guest, or watches it."""
    reader = DictionaryReader([machine(is_running=False), claim(), annotated(snapshot(), cut())])
    reader.objects += pod_of("web", is_attachment=is_attachment)
    context = observing(reader, ENDED, Hands(NOW + 60 * SECOND))
    assert evidence.conclude(ID.replace("vm-db;;", "vm-db;70;"), context).completed
    found = stored(reader)
    assert found.level is Level.UNKNOWN
    [missing] = [one for one in found.missing if one.code == "shared-with-pod"]
    assert missing.says.endswith("hp-volume-web" if is_attachment else "virt-launcher-web")


@pytest.mark.parametrize("is_attachment", [True, False])
def test_pods_of_the_machines_that_were_watched_are_frozen_with_them(
    *, is_attachment: bool
) -> None:
    reader = world(cut(), seen(HELD, RELEASED, OVER), without=["Pod", "VirtualMachineInstance"])
    reader.objects += [with_attachment("db"), *pod_of("db", is_attachment=is_attachment)]
    assert concluded(reader).completed
    assert stored(reader).level is Level.APPLICATION
    reader = world(cut(machines=("db", "web")), seen(HELD, RELEASED, OVER))
    reader.objects += [with_attachment("web"), *pod_of("web", is_attachment=is_attachment)]
    assert concluded(reader).completed
    assert not [one for one in stored(reader).missing if one.code == "shared-with-pod"]


def test_a_pod_that_attached_a_disk_at_the_freeze_is_the_guest_s_own_while_another_comes() -> None:
    """KubeVirt names no pod of any hot-plugged disk while the pod of a new one is not ready."""
    looks = (Look(NOW, state.of(with_attachment("db"))),)
    observed = replace(seen(HELD, RELEASED, OVER), looks=looks)
    reader = world(cut(), observed, without=["Pod"])
    reader.objects += pod_of("db", is_attachment=True)
    assert concluded(reader).completed
    assert stored(reader).level is Level.APPLICATION


def test_the_pod_that_a_guest_had_when_it_was_frozen_is_its_own_after_a_migration() -> None:
    reader = world(cut(), seen(HELD, RELEASED, OVER), without=["Pod", "VirtualMachineInstance"])
    reader.objects += [instance(activePods={"pod-later": "n2"}), *pod_of("db", is_attachment=False)]
    assert concluded(reader).completed
    assert not [one for one in stored(reader).missing if one.code == "shared-with-pod"]


def forged(label: str, annotations: Item, *owners: Item) -> Item:
    """A pod that somebody made, with words on it as KubeVirt puts them on its own."""
    made = other_pod(mountPath="/disk")
    words = {"labels": {"kubevirt.io": label}, "annotations": annotations}
    made["metadata"] |= {
        "name": "forged",
        "uid": "forged",
        "ownerReferences": list(owners),
        **words,
    }
    return made


@pytest.mark.parametrize(
    "pod",
    [
        forged("virt-launcher", {}),
        forged("virt-launcher", {"kubevirt.io/domain": "db"}),
        forged(
            "virt-launcher", {}, {"kind": "VirtualMachineInstance", "name": "db", "uid": "vmi-db"}
        ),
        forged("hotplug-disk", {}),
        forged("hotplug-disk", {}, {"kind": "Pod", "name": "virt-launcher-db", "uid": "pod-db"}),
    ],
)
def test_no_pod_hides_among_those_of_a_guest_by_its_words(pod: Item) -> None:
    """Whoever may make pods writes to a disk of a guest through them, whatever they are called."""
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    reader.objects.append(pod)
    assert concluded(reader).completed
    found = stored(reader)
    assert found.level is Level.UNKNOWN
    [missing] = [one for one in found.missing if one.code == "shared-with-pod"]
    assert missing.says.endswith("may write to it: forged")


OF_INSTANCE = {
    "kind": "VirtualMachineInstance",
    "name": "db",
    "uid": "vmi-db",
    "controller": True,
}


def with_two_active(
    other: Item, status: Item | None = None, *, seen_at_the_cut: bool = True
) -> Evidence:
    """The evidence of a disk of which KubeVirt counts two pods among the guest's active ones."""
    there = instance(activePods={"pod-db": "n1", it.uid(other): "n2"}, **status or {})
    look = Look(NOW, state.of(there if seen_at_the_cut else instance()))
    reader = world(
        cut(),
        replace(seen(HELD, RELEASED, OVER), looks=(look,)),
        without=["Pod", "VirtualMachineInstance"],
    )
    reader.objects += [there, *pod_of("db", is_attachment=False), other]
    assert concluded(reader).completed
    return stored(reader)


def writers(found: Evidence) -> Sequence[str]:
    return [one.says for one in found.missing if one.code == "shared-with-pod"]


@pytest.mark.parametrize("seen_at_the_cut", [True, False])
def test_a_pod_that_names_the_instance_as_its_controller_is_active_and_no_launcher(
    *, seen_at_the_cut: bool
) -> None:
    """KubeVirt counts whatever pod does so, also from a later moment on."""
    found = with_two_active(
        forged("virt-launcher", {}, OF_INSTANCE), seen_at_the_cut=seen_at_the_cut
    )
    assert found.level is Level.UNKNOWN
    [said] = writers(found)
    assert said.endswith("may write to it: virt-launcher-db, forged")


def with_uid(pod: Item, **metadata: Any) -> Item:
    return {**pod, "metadata": {**pod["metadata"], "uid": "pod-two", **metadata}}


def left_by_guest(moment: timedelta, *names: str) -> Item:
    """A pod that runs on, whose containers of these names, or the one with the disk, ended."""
    found = other_pod(mountPath="/disk")
    ended = {"terminated": {"finishedAt": (NOW + moment).isoformat()}}
    names = names or ("libguestfs",)
    states = [{"name": "istio-proxy", "state": {"running": {}}}]
    states += [{"name": name, "state": ended} for name in names]
    return it.with_value(found, states, "status", "containerStatuses")


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(left_by_guest(SECOND), id="the guest left it after the cut"),
        pytest.param(left_by_guest(-62 * SECOND, "other"), id="what ended has no disk"),
        pytest.param(ended_pod(SECOND), id="it ended after the cut"),
    ],
)
def test_a_second_active_pod_that_may_have_run_at_the_cut_is_told(pod: Item) -> None:
    found = with_two_active(with_uid(pod))
    assert found.level is Level.UNKNOWN
    assert len(writers(found)) == 1


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(ended_pod(-62 * SECOND), id="had ended before, as after a migration"),
        pytest.param(other_pod("Pending"), id="has no node yet"),
        pytest.param(left_by_guest(-62 * SECOND), id="is left by the guest, and not by istio"),
    ],
)
def test_a_pod_of_a_migration_that_did_not_run_at_the_cut_is_no_second_one(pod: Item) -> None:
    found = with_two_active(with_uid(pod))
    assert (found.level, writers(found)) == (Level.APPLICATION, [])


def test_two_pods_of_a_guest_that_is_migrated_are_its_own() -> None:
    """It is not in one run: no rule takes it for frozen."""
    migrating = {"migrationState": {"startTimestamp": "2026-05-04T11:59:59Z"}}
    found = with_two_active(with_uid(other_pod(mountPath="/disk")), migrating)
    assert (found.level, writers(found)) == (Level.UNKNOWN, [])
    assert "one-run" in {one.code for one in found.missing}


@pytest.mark.parametrize(
    ("made", "is_later"), [(2 * SECOND, False), (3 * SECOND, True), (-SECOND, False)]
)
def test_a_pod_that_was_made_after_the_cut_has_not_written_before_it(
    made: timedelta, *, is_later: bool
) -> None:
    """As that of a migration, of a guest that was started again, or of a disk's export."""
    later = with_uid(other_pod(mountPath="/disk"), creationTimestamp=(NOW + made).isoformat())
    found = with_two_active(later, seen_at_the_cut=False)
    assert bool(writers(found)) is not is_later
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    reader.objects.append(later)
    assert concluded(reader).completed
    assert (stored(reader).level is Level.APPLICATION) is is_later


def test_the_clock_that_dates_pods_is_compared_with_the_plugin_s() -> None:
    """The API server's is ahead by up to two minutes and a second: a snapshot's date says so."""
    ahead = timedelta(minutes=2)
    for made, is_later in ((ahead + 3 * SECOND, False), (ahead + 4 * SECOND, True)):
        held = annotated(snapshot(), cut(), seen(HELD, RELEASED, OVER))
        held["metadata"]["creationTimestamp"] = (NOW + ahead + SECOND).isoformat()
        reader = DictionaryReader([*(one for one in SHOP if one["kind"] != "VolumeSnapshot"), held])
        date = (NOW + made).isoformat()
        reader.objects.append(with_uid(other_pod(mountPath="/disk"), creationTimestamp=date))
        assert concluded(reader).completed
        assert (writers(stored(reader)) == []) is is_later


READ_ONLY = other_pod(mountPath="/disk")
READ_ONLY["spec"]["volumes"][0]["persistentVolumeClaim"]["readOnly"] = True


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(other_pod("Succeeded", mountPath="/disk"), id="over"),
        pytest.param(ended_pod(-122 * SECOND), id="over before the backup began"),
        pytest.param(other_pod(mountPath="/disk", readOnly=True), id="mounts it read-only"),
        pytest.param(READ_ONLY, id="has a volume that is read-only"),
    ],
)
def test_a_pod_that_does_not_write_to_the_disk_changes_nothing(pod: Item) -> None:
    reader = DictionaryReader([machine(is_running=False), claim(), annotated(snapshot(), cut())])
    reader.objects.append(pod)
    context = observing(reader, ENDED, Hands(NOW + 60 * SECOND))
    assert evidence.conclude(ID.replace("vm-db;;", "vm-db;70;"), context).completed
    assert stored(reader).level is Level.STOPPED


def test_a_list_that_may_not_be_read_is_no_failure_of_the_backup() -> None:
    class Refusing(DictionaryReader):
        def _ask(self, question: str) -> None:
            super()._ask(question)
            if question.startswith("list volumesnapshots"):
                raise Forbidden("volumesnapshots", "cannot list", "the account has no right")

    progress = concluded(Refusing(SHOP))
    assert (progress.completed, progress.error) == (True, "")
    assert "unknown: volumesnapshots: cannot list" in progress.description


def test_a_fault_in_here_is_no_failure_of_the_backup(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(DictionaryReader):
        def _ask(self, question: str) -> None:
            super()._ask(question)
            if question.startswith("list volumesnapshots"):
                raise TypeError("no such thing")

    progress = concluded(Broken(SHOP))
    assert (progress.completed, progress.error) == (True, "")
    assert progress.description == "shop/db: unknown: TypeError: no such thing"
    assert "Traceback" in caplog.text
    demanded = concluded(Broken(SHOP), f"{ID[:-1]}crash;")
    assert demanded.error == "wanted crash, got unknown, because TypeError: no such thing"


def test_evidence_that_cannot_be_stored_is_no_failure_of_the_backup() -> None:
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    reader.refused = {"shop/velero-db-root-x"}
    assert (concluded(reader).completed, concluded(reader).error) == (True, "")


# what is looked up


def taken(name: str, created: str, source: str = "db") -> Item:
    return {
        "kind": "VirtualMachineSnapshot",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
        "spec": {"source": {"kind": "VirtualMachine", "name": source}},
        "status": {"creationTime": created, "readyToUse": True},
    }


def test_a_snapshot_of_kubevirt_in_the_window_is_one_who_may_have_thawed() -> None:
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    reader.objects += [
        taken("within", "2026-05-04T12:00:01Z"),
        taken("before", "2026-05-04T11:00:00Z"),
        taken("of-another", "2026-05-04T12:00:01Z", "web"),
        taken("after", "2026-05-04T12:05:00Z"),
    ]
    context = observing(reader, ENDED, Hands(NOW + 20 * SECOND))
    found = facts.look_up(seen(HELD), NOW + 2 * SECOND, context)
    assert found.others == ("VirtualMachineSnapshot within",)


@pytest.mark.parametrize("minutes", [-30, -5, 0, 2, 30])
def test_a_snapshot_of_kubevirt_is_found_in_the_window_by_whatever_clock_the_server_has(
    minutes: int,
) -> None:
    def at(moment: timedelta) -> str:
        return (NOW + moment + timedelta(minutes=minutes)).isoformat()

    held = annotated(snapshot(), cut(), seen(HELD, RELEASED, OVER))
    held["metadata"]["creationTimestamp"] = at(SECOND)
    reader = DictionaryReader([*(one for one in SHOP if one["kind"] != "VolumeSnapshot"), held])
    reader.objects += [
        taken("before", at(timedelta(minutes=-3))),
        taken("within", at(SECOND)),
        taken("after", at(timedelta(minutes=3))),
    ]
    context = observing(reader, ENDED, Hands(NOW + 20 * SECOND))
    found = facts.look_up(seen(HELD), NOW + 2 * SECOND, context)
    assert found.others == ("VirtualMachineSnapshot within",)


@pytest.mark.parametrize("minutes", [-30, 0, 30])
def test_an_upload_that_was_asked_for_minutes_after_its_snapshot_tells_the_clock_as_well(
    minutes: int,
) -> None:
    """Its storage was slow to finish it, or the disks before it in the block came first."""

    def at(moment: timedelta) -> str:
        return (NOW + moment + timedelta(minutes=minutes)).isoformat()

    late = timedelta(minutes=8)
    of = cut(method=Method.MOVED, snapshot="", uploaded=NOW + late)
    held = it.with_value(upload(), at(late + SECOND), "metadata", "creationTimestamp")
    held = it.with_value(held, {}, "metadata", "annotations")
    annotated(held, of, seen(HELD, RELEASED, OVER))
    reader = DictionaryReader([*(one for one in SHOP if one["kind"] != "VolumeSnapshot"), held])
    reader.objects += [
        taken("before", at(timedelta(minutes=-3))),
        taken("within", at(SECOND)),
        taken("after", at(timedelta(minutes=3))),
    ]
    context = observing(reader, ENDED, Hands(NOW + 2 * late))
    found = facts.look_up(seen(HELD), NOW + 2 * SECOND, context)
    assert found.others == ("VirtualMachineSnapshot within",)


def test_another_backup_in_the_window_is_one_who_may_have_frozen() -> None:
    """Velero takes those of one namespace one after the other."""

    def backup(name: str, began: str, phase: str = "Completed", **spec: Any) -> Item:
        status = {"phase": phase, "startTimestamp": f"2026-05-04T{began}Z"}
        metadata = {"name": name, "namespace": "velero"}
        return {"kind": "Backup", "metadata": metadata, "spec": spec, "status": status}

    reader = world(cut(), seen(HELD, RELEASED, OVER))
    reader.objects += [
        ENDED,
        backup("meanwhile", "12:00:00"),
        backup("next", "12:00:08"),
        backup("soon", "12:00:02"),
        backup("still-at-work", "11:00:00", "InProgress"),
        backup("before", "11:58:00", "WaitingForPluginOperations"),
        backup("after", "12:00:09", "InProgress"),
        backup("of-others", "12:00:08", includedNamespaces=["bank"]),
        {**backup("queued", ""), "status": {"phase": "Queued"}},
    ]
    context = observing(reader, ENDED, Hands(NOW + 20 * SECOND))
    found = facts.look_up(seen(HELD), NOW + 2.5 * SECOND, context)
    assert found.others == ("Backup meanwhile", "Backup still-at-work")
    assert found.later == (NOW + 8 * SECOND, NOW + 2 * SECOND)


def test_a_backup_of_another_velero_at_any_time_of_this_one_may_have_thawed() -> None:
    """It waits for none of this Velero: what began earlier, and has ended, may have done it now."""

    def backup(name: str, began: str, ended: str, **spec: Any) -> Item:
        times = {"startTimestamp": f"2026-05-04T{began}Z", "completionTimestamp": ended}
        status = {"phase": "Completed", **{key: value for key, value in times.items() if value}}
        metadata = {"name": name, "namespace": "team-velero"}
        return {"kind": "Backup", "metadata": metadata, "spec": spec, "status": status}

    reader = world(cut(), seen(HELD, RELEASED, OVER))
    reader.objects += [
        backup("nightly", "11:50:00", "2026-05-04T12:00:01Z"),
        backup("of-no-known-end", "11:50:00", ""),
        backup("over", "11:50:00", "2026-05-04T11:55:00Z"),
        backup("after", "12:00:09", "2026-05-04T12:01:00Z"),
        backup("of-others", "12:00:01", "2026-05-04T12:00:02Z", includedNamespaces=["bank"]),
        {**backup("new", "", ""), "status": {}},
        {**backup("invalid", "", ""), "status": {"phase": "FailedValidation"}},
    ]
    context = observing(reader, ENDED, Hands(NOW + 20 * SECOND))
    found = facts.look_up(seen(HELD), NOW + 2 * SECOND, context)
    assert found.others == (
        "Backup team-velero/nightly",
        "Backup team-velero/of-no-known-end",
    )


def test_the_freeze_of_the_next_backup_is_not_that_of_this_one() -> None:
    """This one's was over before the cut, and its process before that of the next began."""
    frozen = instance(fsFreezeStatus="frozen")
    reader = world(
        cut(), replace(seen(), version="79", lines=()), without=["VirtualMachineInstance"]
    )
    reader.objects.append(frozen)
    assert concluded(reader).completed
    assert stored(reader).level is Level.UNKNOWN


def test_the_log_of_the_launcher_is_read_only_where_kubevirt_can_have_thawed() -> None:
    reader = world()
    reader.logs[COMPUTE] = [
        b"2026-05-04T12:05:00Z Unfreeze was not called for more then 5m0s, initiating unfreeze",
        b"2026-05-04T12:05:01Z something else",
    ]
    context = observing(reader, ENDED, Hands(NOW + 400 * SECOND))
    soon = facts.look_up(seen(), NOW + 200 * SECOND, context)
    late = facts.look_up(seen(), NOW + 310 * SECOND, context)
    assert soon.safety_thaws is None
    assert late.safety_thaws == (NOW + 300 * SECOND,)
    assert [one for one in reader.questions if one.startswith("log")] == [f"log {COMPUTE}"]


def test_the_log_of_the_launcher_is_not_read_for_a_guest_that_waited_for_its_freeze() -> None:
    """Up to ten item blocks wait for each other; the guest says when it is held."""
    reader = world()
    held = console.parse(HELD.replace(b"12:00:00.5Z", b"12:05:00.5Z"))
    assert held
    heard = Heard(held, NOW + 300.5 * SECOND, is_live=True)
    context = observing(reader, ENDED, Hands(NOW + 400 * SECOND))
    found = facts.look_up(replace(seen(), lines=(heard,)), NOW + 310 * SECOND, context)
    assert found.safety_thaws is None
    assert not [one for one in reader.questions if one.startswith("log")]


@pytest.mark.parametrize("stamp", [b"", b"soon", b"\xff", b"2026-05-04T12:05:00", b"05:00Z"])
def test_a_safety_thaw_of_an_unknown_time_may_have_been_at_any_time(stamp: bytes) -> None:
    reader = world()
    reader.logs[COMPUTE] = [stamp + b" Unfreeze was not called for 5m0s, initiating unfreeze"]
    context = observing(reader, ENDED, Hands(NOW + 400 * SECOND))
    found = facts.look_up(seen(), NOW + 310 * SECOND, context)
    assert found.safety_thaws is None
    assert [one.code for one in found.lacks] == ["launcher-log-unread"]


@pytest.mark.parametrize(
    ("counted", "failed"),
    [
        ({"hooksAttempted": 2}, False),
        ({"hooksAttempted": 2, "hooksFailed": 1}, True),
        ({"hooksAttempted": 8, "hooksFailed": 1}, None),
        ({"hooksAttempted": 8, "hooksFailed": 8}, True),
        ({}, None),
        (None, None),
    ],
)
def test_a_failed_hook_is_this_guest_s_only_if_there_is_no_other(
    counted: Item | None, failed: bool | None
) -> None:
    backup = {**ENDED, "status": {"hookStatus": counted} if counted is not None else {}}
    context = observing(world(), backup, Hands(NOW + 20 * SECOND))
    found = facts.look_up(seen(), NOW + 2 * SECOND, context)
    assert found.is_hook_failed is failed


def test_an_instance_that_has_not_changed_since_was_watched_up_to_now() -> None:
    later = NOW + 20 * SECOND
    context = observing(world(), ENDED, Hands(later))
    same = facts.look_up(seen(), NOW + 2 * SECOND, context)
    assert same.watches == (Span(NOW, later),)
    changed = facts.look_up(replace(seen(), version="79"), NOW + 2 * SECOND, context)
    assert changed.watches == (Span(NOW, NOW),)


def test_a_look_is_as_old_as_the_list_that_it_is_from() -> None:
    """One list is for all machines of a namespace, the last of which comes a while later."""
    hands = Hands(NOW + 20 * SECOND)
    context = observing(world(), ENDED, hands)
    for _ in range(2):
        found = facts.look_up(seen(), NOW + 2 * SECOND, context)
        assert found.looks[-1].asked == NOW + 20 * SECOND
        hands.sleep(100)
    assert found.looks[-1].received == NOW + 120 * SECOND


def test_a_list_from_before_the_guest_s_status_had_settled_concludes_nothing() -> None:
    reader, hands = world(cut(), seen(HELD, RELEASED, OVER)), Hands(NOW + 8 * SECOND)
    context = observing(reader, ENDED, hands)
    for _ in range(2):
        assert not virtual_machine.progress(ID, context).completed
        hands.sleep(100)
    assert concluded(reader).completed, "in a new process, as Velero asks"


# demands


def test_a_level_that_was_demanded_and_not_reached_fails_the_operation() -> None:
    wanting = machine(annotations={"stillpoint.dev/require": "application"})
    reader = world(cut(), without=["VirtualMachine"])
    reader.objects.append(wanting)
    operation = virtual_machine.execute(wanting, observing(reader)).operation
    observer.end_all(10)
    error = concluded(reader, operation).error
    assert error.startswith("wanted application, got unknown, because ")
    assert stored(reader).required is Level.APPLICATION


@pytest.mark.parametrize("wanted", ["application", "filesystem", "crash"])
def test_a_demand_that_is_met_is_no_error(wanted: str) -> None:
    reader = world(cut(), seen(HELD, RELEASED, OVER))
    assert concluded(reader, f"evidence;VirtualMachine;shop;db;vm-db;;{wanted};").error == ""


def demands(*levels: tuple[str, str]) -> str:
    """The id with demands on machine, Namespace and Backup."""
    given = {whose: {"stillpoint.dev/require": level} for whose, level in levels}
    wanting = machine(annotations=given.get("machine"))
    namespace = {
        "kind": "Namespace",
        "metadata": {"name": "shop", "annotations": given.get("namespace", {})},
    }
    metadata = {**BACKUP["metadata"], "annotations": given.get("backup", {})}
    reader = DictionaryReader([*SHOP[1:], wanting, namespace])
    operation = virtual_machine.execute(
        wanting, observing(reader, {**BACKUP, "metadata": metadata})
    ).operation
    observer.end_all(10)
    return operation


def test_the_nearest_demand_counts() -> None:
    everybody = (("backup", "application"), ("namespace", "filesystem"), ("machine", "crash"))
    assert [Operation.parse(demands(*everybody[:count])).demand.level for count in range(4)] == [
        None,
        Level.APPLICATION,
        Level.FILESYSTEM,
        Level.CRASH,
    ]


@pytest.mark.parametrize("value", ["", "applicaton", "stopped", "a;b;c", "x" * 5_000])
def test_a_demand_of_no_level_is_the_error_of_the_operation_which_names_the_levels(
    value: str,
) -> None:
    operation = demands(("namespace", value))
    assert len(operation) < 400
    error = concluded(world(cut(), seen(HELD, RELEASED, OVER)), operation).error
    assert error.startswith("Namespace shop: stillpoint.dev/require is ")
    assert error.endswith("not one of application, filesystem, crash")


def test_a_namespace_that_may_not_be_read_leaves_the_demand_of_the_backup() -> None:
    """Each backup would fail for lack of a right; that there may be a demand is said."""

    class Refusing(DictionaryReader):
        def _ask(self, question: str) -> None:
            super()._ask(question)
            if question.startswith("get namespaces"):
                raise Forbidden("Namespace shop", "cannot get", "the account has no right" * 40)

    reader = Refusing([*SHOP, machine("web")])
    metadata = {**BACKUP["metadata"], "annotations": {"stillpoint.dev/require": "crash"}}
    context = observing(reader, {**BACKUP, "metadata": metadata})
    block.related_items(instance(), context)
    operation, _ = (
        virtual_machine.execute(machine(name), context).operation for name in ("db", "web")
    )
    observer.end_all(10)
    assert reader.questions.count("get namespaces /shop") == 1
    demand = Operation.parse(operation).demand
    assert (demand.level, demand.fault) == (Level.CRASH, "")
    progress = concluded(world(cut(), seen(HELD, RELEASED, OVER)), operation)
    assert progress.error == ""
    assert progress.description.startswith("shop/db: application (1 disk")
    assert "whether namespace shop demands a level is not known: " in progress.description
    assert len(progress.description) <= 400


def test_a_demand_of_the_machine_itself_needs_no_namespace() -> None:
    reader = DictionaryReader(SHOP)
    wanting = machine(annotations={"stillpoint.dev/require": "application"})
    virtual_machine.execute(wanting, observing(reader))
    observer.end_all(10)
    assert "get namespaces /shop" not in reader.questions


# operations


def test_the_id_of_an_operation_says_all_that_it_needs() -> None:
    whole = Operation("shop", MACHINE, "70", Demand(Level.CRASH, "a fault; in words %"))
    assert Operation.parse(whole.id) == whole
    lacking = replace(whole, demand=Demand(Level.CRASH, lack="a lack; in words %"))
    assert Operation.parse(lacking.id) == lacking


@pytest.mark.parametrize(
    "text",
    ["", "evidence", "du-b1.c1", "other;VirtualMachine;a;b;c;;;", "evidence;K;a;b;c;;", ID + ";;"],
)
def test_an_id_of_another_sort_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest, match="none of this plugin's"):
        evidence.conclude(text, observing(world()))


def test_an_instance_has_an_operation_only_if_no_machine_owns_it() -> None:
    alone = instance()
    alone["metadata"]["ownerReferences"] = []
    context = observing(DictionaryReader([alone, *SHOP[2:]]))
    assert virtual_machine_instance.execute(instance(), context).operation == ""
    expected = "evidence;VirtualMachineInstance;shop;db;vmi-db;;;"
    assert virtual_machine_instance.execute(alone, context).operation == expected
    observer.end_all(10)


def test_at_the_end_of_a_backup_no_operation_begins() -> None:
    context = observing(DictionaryReader(SHOP), {**BACKUP, "status": {"phase": "Finalizing"}})
    assert virtual_machine.execute(machine(), context).operation == ""


def test_nothing_is_to_be_stored_again_by_velero() -> None:
    context = observing(DictionaryReader(SHOP))
    assert virtual_machine.execute(machine(), context).after_operation == ()
    observer.end_all(10)


def test_an_operation_is_cancelled_without_a_request() -> None:
    reader = world()
    virtual_machine.cancel(ID, observing(reader))
    virtual_machine_instance.cancel(ID, observing(reader))
    assert not reader.questions


def test_a_state_is_that_of_the_instance() -> None:
    paused = {"type": "Paused", "status": "True", "lastTransitionTime": "t2"}
    windows = {"id": "mswindows"}
    found = state.of(instance(conditions=[paused], fsFreezeStatus="frozen", guestOSInfo=windows))
    assert found == State(
        uid="vmi-db",
        phase="Running",
        launchers=("pod-db",),
        node="n1",
        paused_since="t2",
        is_frozen=True,
        os="mswindows",
    )
    assert state.of(None).is_off
