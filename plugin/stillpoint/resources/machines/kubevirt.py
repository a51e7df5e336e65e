"""KubeVirt (kubevirt.io/v1): the installation itself and its settings."""

import json
import re
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.machines import virtual_machine_instance
from stillpoint.resources.quota import amounts
from stillpoint.resources.quota.amounts import Amounts

RESOURCE = Resource("kubevirt.io", "v1", "kubevirts", "KubeVirt")

SAFETY_THAW_S = 300
"""So long after a freeze by Velero's hook the guest is thawed by itself (KubeVirt v1.9)."""

VSS_S = 10
"""Windows' shadow copy service holds writers back no longer."""

_BETA = ("Snapshot",)
"""Feature gates in beta that anything here needs (KubeVirt v1.9)."""

_BETA_IS_ON_SINCE = (1, 9)
_CONFIGURATION = ("spec", "configuration")
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_DEVELOPER = ("spec", "configuration", "developerConfiguration")


def has_feature_gate(installation: Item, gate: str) -> bool:
    """True if a feature gate is on; since KubeVirt 1.9 beta gates are, unless turned off.

    In an installation of unknown version a gate that is not mentioned counts as on.
    Source: pkg/virt-config/featuregate of KubeVirt v1.8 and v1.9.
    """
    if gate in it.texts(installation, *_DEVELOPER, "featureGates"):
        return True
    if gate in it.texts(installation, *_DEVELOPER, "disabledFeatureGates"):
        return False
    found = _VERSION.match(version(installation))
    return gate in _BETA and (not found or (int(found[1]), int(found[2])) >= _BETA_IS_ON_SINCE)


def operator(installation: Item) -> str:
    """Name of the HyperConverged that it belongs to; empty if nobody looks after it."""
    return it.owner(installation, "HyperConverged")


def command_for_feature_gate(installation: Item, gate: str) -> str:
    """The command that turns a feature gate on for good.

    HyperConverged's operator resets its KubeVirt object, except for fields in an annotation of its
    own object.
    """
    path = "/spec/configuration/developerConfiguration/featureGates"
    namespace, name = it.namespace(installation), it.name(installation)
    if owner := operator(installation):
        patch = json.dumps([{"op": "add", "path": f"{path}/-", "value": gate}])
        return (
            f"oc annotate hyperconverged -n {namespace} {owner} --overwrite "
            f"kubevirt.kubevirt.io/jsonpatch='{patch}'"
        )
    gates = [*it.texts(installation, *_DEVELOPER, "featureGates"), gate]
    patch = json.dumps(it.with_value({}, gates, *_DEVELOPER, "featureGates"))
    return f"oc patch kubevirt -n {namespace} {name} --type=merge -p='{patch}'"


def are_hooks_skipped(installation: Item) -> bool:
    """True if launcher pods get no freeze hooks, unless their instance says otherwise."""
    return virtual_machine_instance.skips_hooks(installation) is True


def version(installation: Item) -> str:
    """The running version; empty if the status does not say."""
    return it.text(installation, "status", "observedKubeVirtVersion")


def phase(installation: Item) -> str:
    """`Deployed` when all of it runs; empty if the status does not say."""
    return it.text(installation, "status", "phase")


def cpu_allocation_ratio(installation: Item) -> Decimal:
    """The processors of a guest for which a launcher pod asks for one."""
    return _positive(it.mapping(installation, *_DEVELOPER).get("cpuAllocationRatio"), 10)


def memory_overcommit(installation: Item) -> Decimal:
    """The memory of guests in percent of what launcher pods ask for."""
    return _positive(it.mapping(installation, *_DEVELOPER).get("memoryOvercommit"), 100)


def overhead_ratio(installation: Item) -> Decimal:
    """The factor to what KubeVirt adds to the memory of a guest."""
    said = it.mapping(installation, *_CONFIGURATION).get("additionalGuestMemoryOverheadRatio")
    return _positive(said, 1)


def cpu_request(installation: Item) -> Decimal | None:
    """The processors that each launcher pod asks for; None where the guest's count.

    KubeVirt takes its own default for no setting (setDefaultResourceRequests, v1.9).
    """
    said = amounts.number(it.mapping(installation, *_CONFIGURATION).get("cpuRequest"))
    return said if said and said != Decimal("0.1") else None


def support_container(installation: Item, kind: str) -> tuple[Amounts, Amounts]:
    """Requests and limits that the installation sets for KubeVirt's own containers of a kind.

    Args:
        kind: for instance `guest-console-log`.
    """
    for one in it.sequence(installation, *_CONFIGURATION, "supportContainerResources"):
        if it.text(one, "type") == kind:
            requests = amounts.read(one, "resources", "requests")
            return requests, amounts.read(one, "resources", "limits")
    return {}, {}


def emulates(installation: Item) -> bool:
    """True if guests run without the virtualization of a node."""
    return it.flag(installation, *_DEVELOPER, "useEmulation")


def architecture(installation: Item) -> str:
    """The architecture of guests that name none; may be empty."""
    return it.text(installation, "status", "defaultArchitecture")


def _positive(value: object, default: int) -> Decimal:
    found = amounts.number(value)
    return found if found > 0 else Decimal(default)


def logs_no_serial_console(installation: Item) -> bool:
    """True if launcher pods do not log the guests' serial consoles, unless an instance asks for it.

    Source: `DisableSerialConsoleLog` of VirtualMachineOptions, KubeVirt v1.9: there or not.
    """
    options = it.mapping(installation, "spec", "configuration", "virtualMachineOptions")
    return options.get("disableSerialConsoleLog") is not None
