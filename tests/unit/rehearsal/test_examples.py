"""`examples/` is what people see first: it must be a cluster that could be."""

import pytest

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from tests.unit.rehearsal import examples

OBJECTS = examples.objects()
NAMESPACED = [item for item in OBJECTS if it.namespace(item)]
MACHINES = [item for item in OBJECTS if item["kind"] == "VirtualMachine"]
RUNNING = [item for item in MACHINES if virtual_machine.has_instance(item)]
IDENTITIES = {(item["kind"], it.name(item)) for item in OBJECTS}
KINDS = {
    "secrets": "Secret",
    "datavolumes": "DataVolume",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "controllerrevisions": "ControllerRevision",
}


def title(item: Item) -> str:
    return it.describe(item)


@pytest.mark.parametrize("item", OBJECTS, ids=title)
def test_every_object_has_what_an_api_server_gives(item: Item) -> None:
    assert it.uid(item)
    assert it.creation_time(item) is not None
    assert it.text(item, "metadata", "resourceVersion").isdecimal()


def test_no_two_objects_share_a_uid_or_a_resource_version() -> None:
    for field in ("uid", "resourceVersion"):
        values = [item["metadata"][field] for item in OBJECTS]
        assert len(values) == len(set(values))


@pytest.mark.parametrize("item", NAMESPACED, ids=title)
def test_every_owner_is_there_with_that_uid_and_is_older(item: Item) -> None:
    for owner in it.sequence(item, "metadata", "ownerReferences"):
        found = examples.find(OBJECTS, owner["kind"], owner["name"])
        assert (it.uid(found), found["apiVersion"]) == (owner["uid"], owner["apiVersion"])
        assert it.text(found, "metadata", "creationTimestamp") <= it.text(
            item, "metadata", "creationTimestamp"
        )


@pytest.mark.parametrize("machine", MACHINES, ids=title)
def test_everything_that_a_machine_names_is_there(machine: Item) -> None:
    for reference in virtual_machine.references(machine):
        assert (KINDS[reference.resource], reference.name) in IDENTITIES
    for field in ("instancetype", "preference"):
        if matcher := it.mapping(machine, "spec", field):
            assert (matcher["kind"], matcher["name"]) in IDENTITIES
            assert virtual_machine.with_pinned_revisions(machine)["spec"][field]["revisionName"]


@pytest.mark.parametrize("machine", MACHINES, ids=title)
def test_every_disk_has_its_volume_and_every_volume_its_disk(machine: Item) -> None:
    template = virtual_machine.template(machine)
    disks = {disk["name"] for disk in it.sequence(template, "domain", "devices", "disks")}
    assert disks == {volume["name"] for volume in virtual_machine.volumes(machine)}


@pytest.mark.parametrize("machine", RUNNING, ids=title)
def test_a_machine_that_runs_does_so_in_a_launcher_pod_on_the_node_of_its_instance(
    machine: Item,
) -> None:
    instance = examples.find(OBJECTS, "VirtualMachineInstance", it.name(machine))
    launcher = examples.find(OBJECTS, "Pod", f"virt-launcher-{it.name(machine)}-")
    node = it.text(instance, "status", "nodeName")
    assert it.mapping(instance, "status", "activePods") == {it.uid(launcher): node}
    assert it.text(launcher, "spec", "nodeName") == node
    assert it.owner(launcher, "VirtualMachineInstance") == it.name(instance)
    assert "--freeze" in it.annotations(launcher)["pre.hook.backup.velero.io/command"]
    assert "--unfreeze" in it.annotations(launcher)["post.hook.backup.velero.io/command"]


def test_the_hot_plugged_disk_is_mounted_by_the_attachment_pod_alone() -> None:
    instance = examples.find(OBJECTS, "VirtualMachineInstance", "web")
    (name,) = virtual_machine_instance.attachment_pods(instance)
    attachment = examples.find(OBJECTS, "Pod", name)
    launcher = examples.find(OBJECTS, "Pod", "virt-launcher-web-")
    assert it.owner(attachment, "Pod") == it.name(launcher)
    claims = [
        [it.text(volume, "persistentVolumeClaim", "claimName") for volume in pod["spec"]["volumes"]]
        for pod in (attachment, launcher)
    ]
    assert [("web-uploads" in names, "web-root" in names) for names in claims] == [
        (True, False),
        (False, True),
    ]


def test_every_claim_is_bound_to_a_csi_volume_that_knows_it() -> None:
    claims = [item for item in OBJECTS if item["kind"] == "PersistentVolumeClaim"]
    assert len(claims) == 9
    for claim in claims:
        volume = examples.find(OBJECTS, "PersistentVolume", it.text(claim, "spec", "volumeName"))
        assert it.text(volume, "spec", "claimRef", "uid") == it.uid(claim)
        assert it.text(volume, "spec", "csi", "driver")
        assert it.text(claim, "status", "phase") == it.text(volume, "status", "phase") == "Bound"
