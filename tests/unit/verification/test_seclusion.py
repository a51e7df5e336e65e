"""What a machine may reach when it is started for a test."""

from typing import Any

import pytest

from stillpoint.model.item import Item
from stillpoint.resources.machines import seclusion
from tests.unit.dictionary_reader import merged

POD = {"name": "default", "pod": {}}
LAN = {"name": "lan", "multus": {"networkName": "lan/blue"}}
BRIDGE = {"name": "default", "bridge": {}}
SRIOV = {"name": "lan", "sriov": {}}
PLUGIN = {"name": "default", "binding": {"name": "vdpa"}}
PASST = {"name": "default", "passtBinding": {}}
MASQUERADE = {"name": "default", "masquerade": {}, "ports": [{"port": 22}], "macAddress": "02::"}


def machine(specification: Item, annotations: Item | None = None) -> Item:
    metadata = {"annotations": annotations or {}, "labels": {"app": "db", "kubevirt.io/size": "s"}}
    return {
        "kind": "VirtualMachine",
        "metadata": {"namespace": "scratch", "name": "db", "resourceVersion": "7"},
        "spec": {"running": True, "template": {"metadata": metadata, "spec": specification}},
    }


def devices(**fields: Any) -> Item:
    return {"domain": {"devices": fields}}


def secured(one: Item, *, keeps: bool) -> Item:
    result = merged(one, seclusion.change(one, keeps_pod_network=keeps))
    assert isinstance(result, dict)
    return result


MACHINES = [
    {**devices(interfaces=[BRIDGE, SRIOV]), "networks": [POD, LAN]},
    {**devices(interfaces=[SRIOV]), "networks": [LAN]},
    devices(),
    devices(autoattachPodInterface=False),
    {**devices(autoattachVSOCK=True), "priorityClassName": "first"},
    {**devices(interfaces=[PLUGIN]), "networks": [POD]},
    {**devices(interfaces=[PASST]), "networks": [POD]},
    {**devices(interfaces=[MASQUERADE]), "networks": [POD]},
    {**devices(interfaces=[BRIDGE]), "networks": [{**POD, "resourceClaim": {}}]},
]


@pytest.mark.parametrize("specification", MACHINES)
@pytest.mark.parametrize("keeps", [True, False])
def test_a_secured_machine_has_no_gaps(specification: Item, keeps: bool) -> None:
    annotations = dict.fromkeys(("v1.multus-cni.io/default-network", "x.kubevirt.io/y"), "lan")
    annotations["kubevirt.io/pci-topology-version"] = "v3"
    found = secured(machine(specification, annotations), keeps=keeps)
    assert list(seclusion.gaps(found, keeps_pod_network=keeps)) == []
    assert found["spec"]["runStrategy"] == "Halted"
    assert "running" not in found["spec"]
    template = found["spec"]["template"]
    assert template["metadata"]["annotations"] == {"kubevirt.io/pci-topology-version": "v3"}
    assert template["metadata"]["labels"] == {"kubevirt.io/size": "s"}
    assert template["spec"]["domain"]["devices"]["logSerialConsole"] is True
    assert not template["spec"]["domain"]["devices"].get("autoattachVSOCK")


@pytest.mark.parametrize(
    ("specification", "keeps", "kept"),
    [
        (MACHINES[0], True, [BRIDGE]),
        (MACHINES[0], False, []),
        (MACHINES[1], True, []),
        (MACHINES[2], False, []),
        (MACHINES[5], True, []),
        (MACHINES[6], True, []),
        (MACHINES[7], True, [MASQUERADE]),
        (MACHINES[8], True, []),
    ],
)
def test_interfaces(specification: Item, keeps: bool, kept: list[Item]) -> None:
    found = secured(machine(specification), keeps=keeps)["spec"]["template"]["spec"]
    assert found["domain"]["devices"].get("interfaces", []) == kept
    assert found["domain"]["devices"]["autoattachPodInterface"] is bool(kept)
    assert [one["name"] for one in found.get("networks", [])] == [one["name"] for one in kept]


@pytest.mark.parametrize(
    ("specification", "keeps", "gap"),
    [
        ({**devices(autoattachPodInterface=False), "networks": [LAN]}, True, "in the network lan"),
        (devices(autoattachPodInterface=False, interfaces=[BRIDGE]), False, "interface default"),
        (devices(), False, "KubeVirt would give it an interface"),
        ({**devices(autoattachPodInterface=False), "priorityClassName": "x"}, False, "priority"),
        (devices(disks=[{"name": "root", "lun": {}}]), True, "disk root is a LUN"),
        (devices(hostDevices=[{"name": "nvme"}]), True, "nvme is a device of the node"),
        (devices(gpus=[{"name": "a100"}]), True, "a100 is a device of the node"),
        (devices(newKind=[{"name": "x"}]), True, "newKind, which this version does not know"),
        (devices(autoattachVSOCK=True), True, "autoattachVSOCK, a way to its node"),
        ({**devices(interfaces=[PLUGIN]), "networks": [POD]}, True, "the interface default"),
        ({**devices(interfaces=[PASST]), "networks": [POD]}, True, "the interface default"),
        (devices(interfaces=[{"name": "default"}]), True, "the interface default"),
        ({**devices(), "volumes": [{"name": "v", "hostDisk": {}}]}, True, "volume v is a hostDisk"),
        ({**devices(), "volumes": [{"name": "v", "newKind": {}}]}, True, "volume v is a newKind"),
    ],
)
def test_gaps(specification: Item, keeps: bool, gap: str) -> None:
    one = machine(specification)
    one["spec"]["template"]["metadata"] = {}
    [found] = seclusion.gaps(one, keeps_pod_network=keeps)
    assert gap in found


def test_a_sidecar_is_an_obstacle_and_none_is_left_out() -> None:
    """Without it the guest would be another one."""
    sidecars = {"hooks.kubevirt.io/hookSidecars": '[{"image": "x"}]'}
    [found] = seclusion.obstacles(machine(devices(), sidecars))
    assert found == "hooks.kubevirt.io/hookSidecars runs images beside its guest"


@pytest.mark.parametrize(
    "name",
    ["hooks.kubevirt.io/hookSidecars", "new.kubevirt.io/x", "lan/x", "x", "istio.io/inject"],
)
def test_annotations_that_somebody_has_added_meanwhile(name: str) -> None:
    found = secured(machine(devices()), keeps=False)
    found["spec"]["template"]["metadata"]["annotations"] = {name: "y", "vm.kubevirt.io/os": "z"}
    assert any(name in one for one in seclusion.gaps(found, keeps_pod_network=False))
    instance = {"metadata": {"annotations": {name: "y", "kubevirt.io/vm-generation": "1"}}}
    [gap] = seclusion.gaps_of_instance({**instance, "spec": devices()}, keeps_pod_network=False)
    assert gap == f"it has the annotation {name}"


def test_devices_that_are_off_are_no_gap() -> None:
    off = machine(devices(newKind=False, gpus=[], autoattachVSOCK=False))
    assert list(seclusion.obstacles(off)) == []


def test_gaps_of_an_instance_are_what_a_preference_or_a_webhook_has_added() -> None:
    instance: Item = {
        "kind": "VirtualMachineInstance",
        "metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": "lan/blue", "own/x": "y"}},
        "spec": {**devices(interfaces=[BRIDGE], gpus=[{"name": "a100"}]), "networks": [POD]},
    }
    found = list(seclusion.gaps_of_instance(instance, keeps_pod_network=False))
    assert found == [
        "a100 is a device of the node",
        "it is in the network default",
        "it has the interface default",
        "it has the annotation k8s.v1.cni.cncf.io/networks",
        "it has the annotation own/x",
    ]
    kept = list(seclusion.gaps_of_instance(instance, keeps_pod_network=True))
    assert kept == [found[0], *found[3:]]
    instance["spec"]["domain"]["devices"]["interfaces"] = [PLUGIN]
    kept = list(seclusion.gaps_of_instance(instance, keeps_pod_network=True))
    assert kept[1] == "it has the interface default"
