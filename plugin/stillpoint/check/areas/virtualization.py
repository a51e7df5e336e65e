"""KubeVirt as it is set up: state, gates, freeze hooks, what evidence needs."""

from collections.abc import Iterator, Sequence

from stillpoint.check import matrix
from stillpoint.check.case import Case
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import data_protection_application as dpa
from stillpoint.resources.installation import operators
from stillpoint.resources.machines import kubevirt, pod, virtual_machine_instance
from stillpoint.velero import pod_hooks

Facts = Iterator[Found | NotKnown]

_SNAPSHOT, _INCREMENTAL = "Snapshot", "IncrementalBackup"


def _about(item: Item, text: str = "", remedy: str = "") -> Found:
    names = {"namespace": it.namespace(item), "name": it.name(item)}
    title = f"KubeVirt {names['namespace']}/{names['name']}"
    found = Found.of(f"{title}{text and ': '}{text}", **names)
    return Found(found.about, found.fields, remedy)


def _not_deployed(case: Case) -> Facts:
    for item in case.all(kubevirt.RESOURCE):
        phase = kubevirt.phase(item)
        if not phase:
            yield NotKnown(f"{_about(item).about}: its status has no phase")
        elif phase != "Deployed":
            yield _about(item, phase)


def _operator_faults(case: Case) -> Facts:
    if any(map(kubevirt.operator, case.found(kubevirt.RESOURCE))):
        case.all(operators.HYPER_CONVERGED)
    for item in case.found(operators.HYPER_CONVERGED):
        names = {"namespace": it.namespace(item), "name": it.name(item)}
        for kind, message in operators.faults(item):
            title = f"HyperConverged {names['namespace']}/{names['name']}"
            yield Found.of(f"{title}: {kind}: {message}", **names)


def _hooks_skipped(case: Case) -> Facts:
    for item in case.all(kubevirt.RESOURCE):
        if kubevirt.are_hooks_skipped(item):
            yield _about(item)


def _snapshot_gate(case: Case) -> Facts:
    for item in case.all(kubevirt.RESOURCE):
        if not kubevirt.has_feature_gate(item, _SNAPSHOT):
            yield _about(item, remedy=kubevirt.command_for_feature_gate(item, _SNAPSHOT))


def _incremental_gate(case: Case) -> Facts:
    wanted = [
        application
        for one in case.installations
        for application in one.applications
        if dpa.DATA_MOVER in dpa.default_plugins(application)
    ]
    for item in case.all(kubevirt.RESOURCE) if wanted else ():
        if not kubevirt.has_feature_gate(item, _INCREMENTAL):
            yield _about(item, remedy=kubevirt.command_for_feature_gate(item, _INCREMENTAL))


def _serial_log_off(case: Case) -> Facts:
    for item in case.all(kubevirt.RESOURCE):
        if kubevirt.logs_no_serial_console(item):
            yield _about(item)


def _hook_too_short(case: Case) -> Facts:
    launchers = [
        one for one in case.all(pod.RESOURCE) if pod.is_launcher(one) and not pod.is_over(one)
    ]
    versions = {kubevirt.version(item) for item in case.all(kubevirt.RESOURCE)}
    answers = set(map(matrix.freeze_answer_s, versions))
    longest = next(iter(answers)) if len(answers) == 1 else None
    if launchers and versions and longest is None:
        yield NotKnown("how long this KubeVirt waits for a freeze")
    yield from _without_launcher(case, launchers)
    for launcher in launchers:
        given = pod_hooks.own_timeout(launcher)
        if given is not None and longest and given.total_seconds() < longest:
            name = next(iter(pod.instances(launcher)), it.name(launcher))
            text = f"machine {it.namespace(launcher)}/{name}: {given.total_seconds():g} s"
            yield Found.of(text, namespace=it.namespace(launcher), name=name)


def _without_launcher(case: Case, launchers: Sequence[Item]) -> Facts:
    """Instances whose guest runs in a pod that was not read: a dump may lack it."""
    of = {(it.namespace(one), name) for one in launchers for name in pod.instances(one)}
    for instance in case.all(virtual_machine_instance.RESOURCE):
        namespace, name = it.namespace(instance), it.name(instance)
        if virtual_machine_instance.phase(instance) == "Running" and (namespace, name) not in of:
            yield NotKnown(f"the launcher pod of machine {namespace}/{name}")


# fmt: off
AREA = Area("virtualization", "KubeVirt", (
    Row("kubevirt-not-deployed", Weight.BLOCKS,
        "KubeVirt is not deployed",
        cause="its controllers may not run: machines do not start, nothing freezes a guest",
        by_hand="kubectl get kubevirt -A",
        remedy="kubectl describe kubevirt -n {namespace} {name}", fact=_not_deployed),
    Row("hyperconverged-degraded", Weight.DEGRADES,
        "the operator of OpenShift Virtualization says that a part of it is not available",
        cause="what is not there may be KubeVirt's controllers or CDI, which restores need",
        by_hand="oc get hyperconverged -A -o jsonpath='{.items[*].status.conditions}'",
        remedy="oc describe hyperconverged -n {namespace} {name}; correct what the message names",
        fact=_operator_faults),
    Row("hooks-skipped-everywhere", Weight.DEGRADES,
        "KubeVirt gives launcher pods no freeze hooks (kubevirt.io/skip-backup-hooks)",
        cause="nothing freezes any guest: its disks are as a power failure would leave them",
        by_hand="kubectl get kubevirt -A -o yaml | grep skip-backup-hooks",
        remedy="kubectl annotate kubevirt -n {namespace} {name} kubevirt.io/skip-backup-hooks-; "
               "a running machine gets its hooks when it is migrated or restarted",
        fact=_hooks_skipped),
    Row("hook-shorter-than-freeze", Weight.DEGRADES,
        "Velero gives the freeze hook less time than KubeVirt takes for a freeze",
        cause="the hook fails although the guest freezes later, and snapshots are taken before; "
              "the launcher pod is of an older KubeVirt",
        by_hand="kubectl get pods -A -l kubevirt.io=virt-launcher -o yaml | grep hook.backup",
        remedy="virtctl migrate -n {namespace} {name}", fact=_hook_too_short),
    Row("snapshot-gate-off", Weight.NOTE,
        "KubeVirt's feature gate Snapshot is off",
        cause="there are no VirtualMachineSnapshots; Velero can do without",
        by_hand="kubectl get kubevirt -A -o yaml | grep -A5 featureGates",
        remedy="add Snapshot to spec.configuration.developerConfiguration.featureGates",
        fact=_snapshot_gate),
    Row("incremental-gate-off", Weight.DEGRADES,
        "OADP's data mover for KubeVirt is on, and KubeVirt's gate IncrementalBackup is off",
        cause="without changed-block tracking it can take no machine",
        by_hand="kubectl get kubevirt -A -o yaml | grep -A5 featureGates",
        remedy="add IncrementalBackup to spec.configuration.developerConfiguration.featureGates",
        fact=_incremental_gate),
    Row("serial-log-off", Weight.NOTE,
        "KubeVirt logs no serial consoles (disableSerialConsoleLog)",
        cause="the log of a guest's console is where a freeze record can be read from outside",
        by_hand="kubectl get kubevirt -A -o yaml | grep disableSerialConsoleLog",
        remedy="kubectl patch kubevirt -n {namespace} {name} --type=json "
               "-p='[{{\"op\":\"remove\",\"path\":"
               "\"/spec/configuration/virtualMachineOptions/disableSerialConsoleLog\"}}]'; with "
               "HyperConverged set spec.virtualMachineOptions.disableSerialConsoleLog: false there",
        fact=_serial_log_off),
))
# fmt: on
