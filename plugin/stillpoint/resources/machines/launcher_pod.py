"""The pods that KubeVirt would start for a guest: the least that they ask for.

What other parties add is not counted: admission webhooks, network resources, plugins of networks,
containers whose resources nobody says, and init containers, which ask for less than the guest.

Source: pkg/virt-controller/services (template.go, renderresources.go, serialconsolelog.go) and
pkg/hypervisor/kvm of KubeVirt v1.9; fixed parts of the overhead by version since v1.2.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.item import Item
from stillpoint.resources.disks import volume
from stillpoint.resources.machines import kubevirt
from stillpoint.resources.quota import amounts
from stillpoint.resources.quota.amounts import Amounts
from stillpoint.resources.quota.pod_resources import Container, PodResources

_MIB = Decimal(1024 * 1024)
_MB = Decimal(1000 * 1000)
_ZERO = Decimal(0)

_FIXED = (((1, 9), 240), ((1, 5), 220))
"""MiB of launcher, monitor, libvirt and QEMU, since a version; the newest first."""
_FIXED_BEFORE = 210
_EPHEMERAL_STORAGE = 50 * _MB
_HOOKS = "hooks.kubevirt.io/hookSidecars"
_RATIO = "alpha.kubevirt.io/auto-memory-limits-ratio"
"""Label of a namespace."""

_DEFAULTS: Mapping[str, tuple[Amounts, Amounts]] = {
    "guest-console-log": (
        {"cpu": Decimal("0.005"), "memory": 35 * _MB},
        {"cpu": Decimal("0.015"), "memory": 60 * _MB},
    ),
    "virtiofs": (
        {"cpu": Decimal("0.01"), "memory": 1 * _MB},
        {"cpu": Decimal("0.1"), "memory": 80 * _MB},
    ),
    "container-disk": (
        {"cpu": Decimal("0.001"), "memory": 1 * _MB, "ephemeral-storage": _EPHEMERAL_STORAGE},
        {"cpu": Decimal("0.01"), "memory": 40 * _MB},
    ),
    "hotplug-disk": (
        {"cpu": Decimal("0.01"), "memory": 2 * _MB},
        {"cpu": Decimal("0.1"), "memory": 80 * _MB},
    ),
    "sidecar": ({}, {}),
}
"""Requests and limits of KubeVirt's own containers, by their names in its settings."""

_SIDECAR_LIMITS = {"cpu": Decimal("0.2"), "memory": 64 * _MB}
"""Of a guest whose pod is to have a quality of service."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Settings for the pods of a namespace, besides the guest.

    Attributes:
        installation: the KubeVirt object; without fields if it is not known.
        limits_cpu: true if a quota of the namespace limits the limits of processors.
        limits_memory: true if one limits those of memory.
        labels: of the namespace.
    """

    installation: Item = field(default_factory=dict)
    limits_cpu: bool = False
    limits_memory: bool = False
    labels: Item = field(default_factory=dict)


def of(guest: Item, annotations: Item, ground: Ground) -> tuple[PodResources, ...]:
    """The launcher pod, and the attachment pod if disks are hot-plugged.

    Args:
        guest: its specification, with the size of its instancetype.
        annotations: of the instance.
    """
    launcher = PodResources(
        [_compute(guest, ground), *_beside(guest, annotations, ground)],
        priority_class=it.text(guest, "priorityClassName"),
    )
    if not any(map(volume.is_hotpluggable, it.sequence(guest, "volumes"))):
        return (launcher,)
    attachment = _support("hotplug-disk", ground.installation, is_guaranteed=False)
    return launcher, PodResources([attachment])


def _compute(guest: Item, ground: Ground) -> Container:
    """The container that the guest runs in."""
    requests = {**_requests(guest), **_devices(guest, ground)}
    limits = {**_limits(guest), **_devices(guest, ground)}
    overcommit = kubevirt.memory_overcommit(ground.installation)
    if not requests.get("memory"):
        of_guest = Decimal(int(_memory(guest) * 100 / overcommit))
        requests["memory"] = limits.get("memory") or of_guest
    processors = _processors(guest) + _supplemental_threads(guest)
    if _is_dedicated(guest):
        processors += it.flag(guest, "domain", "cpu", "isolateEmulatorThread")
        requests["cpu"] = limits["cpu"] = Decimal(processors)
        limits["memory"] = requests["memory"]
    else:
        ratio = kubevirt.cpu_allocation_ratio(ground.installation)
        of_settings = kubevirt.cpu_request(ground.installation)
        requests.setdefault("cpu", of_settings or Decimal(processors) / ratio)
        if ground.limits_cpu:
            limits.setdefault("cpu", Decimal(processors))
    _add_overhead(guest, requests, limits, ground)
    if ground.limits_memory:
        limits.setdefault("memory", Decimal(int(requests["memory"] * _limit_ratio(ground))))
    requests["ephemeral-storage"] = requests.get("ephemeral-storage", _ZERO) + _EPHEMERAL_STORAGE
    if "ephemeral-storage" in limits:
        limits["ephemeral-storage"] += _EPHEMERAL_STORAGE
    return Container(requests, limits)


def _add_overhead(
    guest: Item, requests: dict[str, Decimal], limits: dict[str, Decimal], ground: Ground
) -> None:
    added = _overhead(guest, ground.installation)
    page = it.text(guest, "domain", "memory", "hugepages", "pageSize")
    if page:
        memory = _memory(guest) or requests["memory"]
        in_pages = min(requests["memory"], memory)
        requests[f"hugepages-{page}"] = limits[f"hugepages-{page}"] = in_pages
        for each in (requests, limits):
            if "memory" in each:
                each["memory"] = max(each["memory"] - memory, _ZERO) + added
        return
    if not it.flag(guest, "domain", "resources", "overcommitGuestOverhead"):
        requests["memory"] += added
    if "memory" in limits:
        limits["memory"] += added


def _overhead(guest: Item, installation: Item) -> Decimal:
    """The bytes that KubeVirt adds to a guest's memory."""
    domain, devices = it.mapping(guest, "domain"), it.mapping(guest, "domain", "devices")
    found = _fixed(installation) + (8 * (max(_processors(guest), 1) + 1)) * _MIB
    found += amounts.read(domain, "resources", "requests").get("memory", _ZERO) // 512
    if devices.get("autoattachGraphicsDevice") is not False:
        found += 32 * _MIB
    if (it.text(guest, "architecture") or kubevirt.architecture(installation)) == "arm64":
        found += 128 * _MIB
    if _has_vfio(devices):
        found += 1024 * _MIB
    if any("downwardMetrics" in one for one in it.sequence(guest, "volumes")):
        found += _MIB
    found += _of_probes(guest)
    if any({"passt", "passtBinding"} & one.keys() for one in it.sequence(devices, "interfaces")):
        found += 250 * _MIB
    security = it.mapping(domain, "launchSecurity")
    if {"sev", "snp"} & security.keys():
        found += 256 * _MIB
    tpm = devices.get("tpm")
    if isinstance(tpm, dict) and tpm.get("enabled") is not False:
        found += 53 * _MIB
    if _is_guaranteed(guest):
        found += 100 * _MIB
    reserved = it.mapping(domain, "memory", "reservedOverhead")
    found += amounts.number(reserved.get("addedOverhead", 0))
    return found * kubevirt.overhead_ratio(installation)


def _fixed(installation: Item) -> Decimal:
    found = re.match(r"v?(\d+)\.(\d+)", kubevirt.version(installation))
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return next((mib for since, mib in _FIXED if version >= since), _FIXED_BEFORE) * _MIB


def _of_probes(guest: Item) -> Decimal:
    probes = [
        name for name in ("livenessProbe", "readinessProbe") if it.mapping(guest, name, "exec")
    ]
    return (100 + 10 * len(probes)) * _MIB if probes else _ZERO


def _has_vfio(devices: Item) -> bool:
    interfaces = it.sequence(devices, "interfaces")
    passed = it.sequence(devices, "gpus") or it.sequence(devices, "hostDevices")
    return bool(passed) or any("sriov" in one for one in interfaces)


def _beside(guest: Item, annotations: Item, ground: Ground) -> Iterator[Container]:
    """The containers beside the guest's."""
    is_guaranteed = _is_guaranteed(guest)
    kinds = [*_consoles(guest, ground.installation), *_of_volumes(guest)]
    kinds += ["sidecar"] * _hooks(annotations)
    for kind in kinds:
        yield _support(kind, ground.installation, is_guaranteed=is_guaranteed)


def _consoles(guest: Item, installation: Item) -> Iterator[str]:
    devices = it.mapping(guest, "domain", "devices")
    said = devices.get("logSerialConsole")
    is_logged = (
        said if isinstance(said, bool) else not kubevirt.logs_no_serial_console(installation)
    )
    if is_logged and devices.get("autoattachSerialConsole") is not False:
        yield "guest-console-log"


def _of_volumes(guest: Item) -> Iterator[str]:
    devices = it.mapping(guest, "domain", "devices")
    shared = {it.text(one, "name") for one in it.sequence(devices, "filesystems")}
    for one in it.sequence(guest, "volumes"):
        if it.text(one, "name") in shared and "containerPath" not in one:
            yield "virtiofs"
        if "containerDisk" in one:
            yield "container-disk"


def _hooks(annotations: Item) -> int:
    """The number of hook sidecars; none in what is no list."""
    try:
        listed = json_text.decode(it.text(annotations, _HOOKS) or "[]")
    except ValueError:
        return 0
    return len(listed) if isinstance(listed, list) else 0


def _support(kind: str, installation: Item, *, is_guaranteed: bool) -> Container:
    requests, limits = _DEFAULTS[kind]
    if kind == "sidecar" and is_guaranteed:
        limits = _SIDECAR_LIMITS
    set_requests, set_limits = kubevirt.support_container(installation, kind)
    limits = {**limits, **set_limits}
    requests = {**requests, **set_requests}
    if is_guaranteed:
        requests = {**requests, **{one: limits[one] for one in ("cpu", "memory") if one in limits}}
    return Container({**limits, **requests}, limits)


def _devices(guest: Item, ground: Ground) -> dict[str, Decimal]:
    """The devices of nodes that the guest asks for."""
    found = [] if kubevirt.emulates(ground.installation) else ["devices.kubevirt.io/kvm"]
    devices = it.mapping(guest, "domain", "devices")
    for kind in ("gpus", "hostDevices"):
        found += filter(None, (it.text(one, "deviceName") for one in it.sequence(devices, kind)))
    return amounts.total({name: Decimal(1)} for name in found)


def _requests(guest: Item) -> dict[str, Decimal]:
    """The requests of a guest; a limit of processors alone is one as well."""
    requests, limits = amounts.read(guest, *_RESOURCES, "requests"), _limits(guest)
    if limits.get("cpu") and not requests.get("cpu"):
        requests["cpu"] = limits["cpu"]
    return requests


def _limits(guest: Item) -> dict[str, Decimal]:
    return amounts.read(guest, *_RESOURCES, "limits")


def _memory(guest: Item) -> Decimal:
    """The memory that the guest sees; 0 where nothing says it."""
    memory = it.mapping(guest, "domain", "memory")
    of_page = amounts.number(it.mapping(memory, "hugepages").get("pageSize", 0))
    return amounts.number(memory.get("guest", 0)) or _requests(guest).get("memory", of_page)


def _processors(guest: Item) -> int:
    """The processors that the guest sees."""
    cpu = it.mapping(guest, "domain", "cpu")
    counted = [int(amounts.number(cpu.get(one, 0))) for one in ("cores", "sockets", "threads")]
    if not any(counted):
        asked = _limits(guest).get("cpu") or _requests(guest).get("cpu") or Decimal(1)
        return max(1, -(-int(asked * 1000) // 1000))
    cores, sockets, threads = (max(1, one) for one in counted)
    return cores * sockets * threads


def _supplemental_threads(guest: Item) -> int:
    threads = it.mapping(guest, "domain", "ioThreads").get("supplementalPoolThreadCount", 0)
    return int(amounts.number(threads))


def _is_dedicated(guest: Item) -> bool:
    return it.flag(guest, "domain", "cpu", "dedicatedCPUPlacement")


def _is_guaranteed(guest: Item) -> bool:
    """True if the guest has processors of its own, or asks for as much as it may have."""
    requests, limits = _requests(guest), _limits(guest)
    is_memory = bool(limits.get("memory")) and requests.get("memory") in (None, limits["memory"])
    is_cpu = bool(requests.get("cpu")) and requests["cpu"] == limits.get("cpu")
    return _is_dedicated(guest) or (is_memory and is_cpu)


def _limit_ratio(ground: Ground) -> Decimal:
    said = amounts.number(it.labels({"metadata": {"labels": ground.labels}}).get(_RATIO, 0))
    return said if said >= 1 else Decimal(2)


_RESOURCES = ("domain", "resources")
