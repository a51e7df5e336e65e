"""The pods of a guest: what KubeVirt's own tests expect of them, where they have the same guest."""

from decimal import Decimal

import pytest

from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.machines import launcher_pod, sizing
from stillpoint.resources.machines.launcher_pod import Ground
from stillpoint.resources.quota import amounts

MIB = 1024 * 1024
BASE = 240 * MIB + 8 * MIB + 8 * MIB + 32 * MIB
"""Of KubeVirt v1.9 on one processor: its programs, the processor, an IO thread, graphics."""


def kubevirt(version: str = "v1.9.0", **configuration: object) -> Item:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": configuration},
        "status": {"observedKubeVirtVersion": version},
    }


def guest(architecture: str = "amd64", volumes: tuple[Item, ...] = (), **domain: Item) -> Item:
    return {"architecture": architecture, "domain": domain, "volumes": [*volumes]}


def resources(requests: Item, limits: Item | None = None, **more: object) -> Item:
    return {"requests": requests, "limits": limits or {}, **more}


GROUND = Ground(kubevirt())
WITHOUT_CONSOLE = {"logSerialConsole": False}


def compute(specification: Item, ground: Ground = GROUND) -> tuple[dict[str, int], dict[str, int]]:
    """Requests and limits of the guest's own container: memory in bytes, processors in 1/1000."""
    [launcher, *_] = launcher_pod.of(specification, {}, ground)
    both = launcher.containers[0].requests, launcher.containers[0].limits
    found = [
        {
            one: int(each[one] * (1000 if one == "cpu" else 1))
            for one in ("cpu", "memory")
            if one in each
        }
        for each in both
    ]
    return found[0], found[1]


@pytest.mark.parametrize(
    ("architecture", "request_bytes", "limit_bytes"),
    [("amd64", 1303943013, 2303943013), ("arm64", 1438160741, 2438160741)],
)
def test_requests_and_limits_grow_by_the_overhead(
    architecture: str, request_bytes: int, limit_bytes: int
) -> None:
    asked = resources({"cpu": "1m", "memory": "1G"}, {"cpu": "2m", "memory": "2G"})
    requests, limits = compute(guest(architecture, resources=asked))
    assert requests == {"cpu": 1, "memory": request_bytes}
    assert limits == {"cpu": 2, "memory": limit_bytes}


def test_an_overhead_that_is_overcommitted_is_in_the_limits_alone() -> None:
    asked = resources({"memory": "1G"}, {"memory": "2G"}, overcommitGuestOverhead=True)
    requests, limits = compute(guest(resources=asked))
    assert (requests["memory"], limits["memory"]) == (1000**3, 2303943013)


@pytest.mark.parametrize(
    ("devices", "megabytes"),
    [
        ({}, 383),
        ({"autoattachGraphicsDevice": True}, 383),
        ({"autoattachGraphicsDevice": False}, 350),
    ],
)
def test_processors_and_graphics_have_their_overhead(devices: Item, megabytes: int) -> None:
    asked = resources({"cpu": "1m", "memory": "64M"})
    requests, _ = compute(guest(cpu={"cores": 3}, resources=asked, devices=devices))
    assert -(-requests["memory"] // 1000**2) == megabytes


@pytest.mark.parametrize(
    ("version", "fixed"),
    [("v1.9.1", 240), ("1.8.0", 220), ("v1.5.2", 220), ("v1.4.9", 210), ("", 210)],
)
def test_the_fixed_part_is_that_of_the_version(version: str, fixed: int) -> None:
    ground = Ground(kubevirt(version))
    requests, _ = compute(guest(memory={"guest": "1Gi"}), ground)
    assert requests["memory"] == 1024 * MIB + (fixed + 48) * MIB


@pytest.mark.parametrize(
    ("ratio", "asked", "thousandths"),
    [(None, {}, 300), (1, {}, 3000), (16, {"cpu": "150m"}, 150)],
)
def test_processors_are_asked_for_by_the_allocation_ratio(
    ratio: int | None, asked: Item, thousandths: int
) -> None:
    developer = {"cpuAllocationRatio": ratio} if ratio else {}
    ground = Ground(kubevirt(developerConfiguration=developer))
    requests, limits = compute(guest(cpu={"cores": 3}, resources=resources(asked)), ground)
    assert requests["cpu"] == thousandths
    assert "cpu" not in limits


def test_memory_is_overcommitted_before_the_overhead_is_added() -> None:
    ground = Ground(kubevirt(developerConfiguration={"memoryOvercommit": 200}))
    requests, _ = compute(guest(memory={"guest": "2Gi"}), ground)
    assert requests["memory"] == 1024 * MIB + BASE


@pytest.mark.parametrize(
    ("domain", "mib"),
    [
        ({"devices": {"gpus": [{"name": "g", "deviceName": "nvidia.com/A10"}]}}, 1024),
        ({"devices": {"interfaces": [{"name": "a", "sriov": {}}]}}, 1024),
        ({"devices": {"interfaces": [{"name": "a", "passtBinding": {}}]}}, 250),
        ({"devices": {"tpm": {}}}, 53),
        ({"devices": {"tpm": {"enabled": False}}}, 0),
        ({"launchSecurity": {"sev": {}}}, 256),
        ({"launchSecurity": {"tdx": {}}}, 0),
        ({"memory": {"guest": "1Gi", "reservedOverhead": {"addedOverhead": "5Mi"}}}, 5),
    ],
)
def test_devices_have_their_overhead(domain: dict[str, Item], mib: int) -> None:
    specification = guest() | {"domain": {"memory": {"guest": "1Gi"}} | domain}
    requests, _ = compute(specification)
    assert requests["memory"] == 1024 * MIB + BASE + mib * MIB


def test_probes_that_run_programs_and_metrics_on_a_disk_have_their_overhead() -> None:
    metrics = guest(volumes=({"name": "m", "downwardMetrics": {}},), memory={"guest": "1Gi"})
    assert compute(metrics)[0]["memory"] == 1024 * MIB + BASE + MIB
    probed = metrics | {"readinessProbe": {"exec": {"command": ["true"]}}, "volumes": []}
    assert compute(probed)[0]["memory"] == 1024 * MIB + BASE + 110 * MIB


def test_the_administrators_factor_is_of_the_overhead_alone() -> None:
    ground = Ground(kubevirt(additionalGuestMemoryOverheadRatio="1.5"))
    assert (
        compute(guest(memory={"guest": "1Gi"}), ground)[0]["memory"] == 1024 * MIB + BASE * 3 // 2
    )


def test_processors_of_its_own_are_requests_and_limits() -> None:
    cpu = {"cores": 2, "sockets": 2, "dedicatedCPUPlacement": True, "isolateEmulatorThread": True}
    requests, limits = compute(guest(cpu=cpu, memory={"guest": "1Gi"}))
    assert requests == limits
    assert requests["cpu"] == 5000
    assert requests["memory"] == 1024 * MIB + BASE + 3 * 8 * MIB + 100 * MIB


def test_huge_pages_are_the_guests_and_the_rest_is_the_overhead() -> None:
    memory = {"hugepages": {"pageSize": "2Mi"}, "guest": "64Mi"}
    [launcher] = launcher_pod.of(guest(memory=memory), {}, GROUND)
    found = launcher.containers[0]
    assert found.requests["hugepages-2Mi"] == found.limits["hugepages-2Mi"] == 64 * MIB
    assert found.requests["memory"] == BASE


def test_a_quota_of_limits_makes_kubevirt_set_them() -> None:
    specification = guest(cpu={"cores": 2}, memory={"guest": "1Gi"})
    ground = Ground(kubevirt(), limits_cpu=True, limits_memory=True)
    requests, limits = compute(specification, ground)
    assert limits == {"cpu": 2000, "memory": 2 * requests["memory"]}
    label = {"alpha.kubevirt.io/auto-memory-limits-ratio": "1.5"}
    _, limits = compute(specification, Ground(kubevirt(), limits_memory=True, labels=label))
    assert limits["memory"] == requests["memory"] * 3 // 2


def test_containers_beside_the_guest_are_counted() -> None:
    volumes = (
        {"name": "image", "containerDisk": {"image": "i"}},
        {"name": "shared", "configMap": {"name": "c"}},
        {"name": "later", "dataVolume": {"name": "d", "hotpluggable": True}},
    )
    devices = {"filesystems": [{"name": "shared", "virtiofs": {}}]}
    hooks = {"hooks.kubevirt.io/hookSidecars": '[{"image": "h"}, {"image": "i"}]'}
    specification = guest(volumes=volumes, memory={"guest": "1Gi"}, devices=devices)
    launcher, attachment = launcher_pod.of(specification, hooks, GROUND)
    assert len(launcher.containers) == 6
    memory = 1024 * MIB + BASE + (35 + 1 + 1) * 1000**2
    assert launcher.requests["memory"] == memory
    assert launcher.limits["memory"] == (60 + 80 + 40) * 1000**2
    assert launcher.requests["ephemeral-storage"] == 100 * 1000**2
    assert attachment.requests == {"cpu": Decimal("0.01"), "memory": 2 * 1000**2}


def test_settings_of_the_installation_count_before_defaults() -> None:
    console = {"type": "guest-console-log", "resources": {"requests": {"memory": "100M"}}}
    ground = Ground(kubevirt(supportContainerResources=[console]))
    [launcher] = launcher_pod.of(guest(), {}, ground)
    assert launcher.containers[1].requests["memory"] == 100 * 1000**2
    off = kubevirt(virtualMachineOptions={"disableSerialConsoleLog": {}})
    assert len(launcher_pod.of(guest(), {}, Ground(off))[0].containers) == 1
    assert len(launcher_pod.of(guest(devices=WITHOUT_CONSOLE), {}, GROUND)[0].containers) == 1


def test_devices_of_nodes_are_asked_for() -> None:
    gpu = {"name": "g", "deviceName": "nvidia.com/A10"}
    [launcher] = launcher_pod.of(guest(devices={"gpus": [gpu, gpu]}), {}, GROUND)
    assert launcher.requests["nvidia.com/A10"] == 2
    assert launcher.requests["devices.kubevirt.io/kvm"] == 1
    emulated = Ground(kubevirt(developerConfiguration={"useEmulation": True}))
    assert "devices.kubevirt.io/kvm" not in launcher_pod.of(guest(), {}, emulated)[0].requests


def test_whatever_somebody_has_written_is_a_number_that_can_be_shown() -> None:
    digits = "9" * 100_000
    written = guest(
        cpu={"cores": 2**70, "sockets": digits, "threads": "9e999"}, memory={"guest": digits}
    )
    [launcher] = launcher_pod.of(written, {}, GROUND)
    for name, amount in launcher.requests.items():
        assert len(amounts.shown(name, amount)) < 100


@pytest.mark.parametrize("hooks", ["", "none", "{}", "5", "[" * 200_000])
def test_what_is_no_list_of_hooks_has_none(hooks: str) -> None:
    annotations = {"hooks.kubevirt.io/hookSidecars": hooks}
    assert len(launcher_pod.of(guest(), annotations, GROUND)[0].containers) == 2


SIZE: Item = {"cpu": {"guest": 4}, "memory": {"guest": "8Gi", "overcommitPercent": 50}}


def machine(revision: str = "") -> Item:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {
            "instancetype": {
                "kind": "VirtualMachineClusterInstancetype", "name": "large",
                "revisionName": revision,
            },
            "template": {"spec": {"domain": {"devices": {}}}},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("revision", "objects"),
    [
        ("", {Reference(
            "instancetype.kubevirt.io", "virtualmachineclusterinstancetypes", "", "large",
        ): {"spec": SIZE}}),
        ("db-large-1", {
            Reference("apps", "controllerrevisions", "shop", "db-large-1"): {
                "data": {"spec": SIZE},
            },
            Reference(
                "instancetype.kubevirt.io", "virtualmachineclusterinstancetypes", "", "large",
            ): {"spec": {"cpu": {"guest": 16}, "memory": {"guest": "64Gi"}}},
        }),
    ],
)  # fmt: skip
def test_an_instancetype_gives_the_size(revision: str, objects: dict[Reference, Item]) -> None:
    found = sizing.specification(machine(revision), objects.get)
    requests, _ = compute(found)
    assert requests["cpu"] == 400
    page_table = 4 * 1024 * MIB // 512
    assert requests["memory"] == 4 * 1024 * MIB + BASE + 3 * 8 * MIB + page_table


def test_amounts_are_shown_for_people() -> None:
    shown = [
        ("memory", "4352Mi"),
        ("requests.storage", "1Gi"),
        ("limits.cpu", "300m"),
        ("pods", "3"),
    ]
    given = [Decimal(4352 * MIB + 5), Decimal(1024 * MIB), Decimal("0.3"), Decimal(3)]
    for (name, text), amount in zip(shown, given, strict=True):
        assert amounts.shown(name, amount) == text
