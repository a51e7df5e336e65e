"""Remedies that depend on the place of the cause: each names the object to change."""

import shlex
from collections.abc import Iterator, Sequence

import orjson

from stillpoint.model import item as it
from stillpoint.model.names import listing
from stillpoint.rehearsal.verdict import disks, guest, window
from stillpoint.rehearsal.verdict.case import Case
from stillpoint.resources.machines import kubevirt, virtual_machine, virtual_machine_instance
from stillpoint.velero import server
from stillpoint.velero.volumes.policy import Fate

_CONFIG_MAP = "stillpoint-snapshots"
_OLD_SWITCH = (
    "snapshotVolumes: false and the annotation stillpoint.dev/snapshotter=all on the Backup"
)
_SKIPS = virtual_machine_instance.SKIPS_HOOKS


def of_hooks_off(case: Case) -> str:
    """The annotation is removed from the object that has it.

    KubeVirt copies the annotation from the metadata of a machine to a running guest; from the
    template of a machine, and from the guest's own object, to a launcher pod when the pod is
    created (v1.9).
    """
    namespace, name = case.reference.namespace, case.reference.name
    again = f"virtctl restart {name} -n {namespace}"
    if case.is_instance:
        return f"oc annotate vmi -n {namespace} {name} {_SKIPS}-"
    if _SKIPS in it.annotations(case.machine):
        return f"oc annotate vm -n {namespace} {name} {_SKIPS}-"
    if _SKIPS in virtual_machine.template_annotations(case.machine):
        path = "/spec/template/metadata/annotations/" + _SKIPS.replace("/", "~1")
        patch = f'[{{"op": "remove", "path": "{path}"}}]'
        return f"oc patch vm -n {namespace} {name} --type=json -p='{patch}'; {again}"
    if _SKIPS in it.annotations(case.instance or {}):
        return f"oc annotate vmi -n {namespace} {name} {_SKIPS}-"
    found = filter(kubevirt.are_hooks_skipped, case.around.all_of(kubevirt.RESOURCE))
    taken_off = (
        f"oc annotate kubevirt -n {it.namespace(one)} {it.name(one)} {_SKIPS}-" for one in found
    )
    return "; ".join((*taken_off, again))


def of_long_freeze(case: Case) -> str:
    """Fewer guests in one freeze, where a shared claim joins them; else snapshots side by side."""
    shared = tuple(_sharing(case))
    if shared:
        return (
            f"{'; '.join(shared)}: all of them are frozen until the last snapshot. Take what is "
            "shared and only read out of the machines, or give it as a containerDisk"
        )
    return of_velero_snapshots(case)


def of_velero_snapshots(case: Case) -> str:
    """The plugin takes the snapshots, all at once; second best, Velero looks for them faster."""
    found = window.of(case)
    if not found or found.expected <= found.by_plugin:
        return ""
    early = window.early_s(case)
    second = (
        f"; second best, about {early} s: {server.EARLY_POLLING}=true in the environment of "
        "Velero 1.18.1 and newer"
    )
    return (
        f"let the plugin take the snapshots, in about {found.by_plugin} s (docs/snapshots.md): "
        f"{_switch(case)}{second if early < found.expected else ''}"
    )


def of_refused_policy(case: Case) -> str:
    """The switch for servers without custom actions; policies of others need a newer server."""
    del case
    return f"take the custom actions out of the policies; instead {_OLD_SWITCH}; or update Velero"


def _switch(case: Case) -> str:
    """The way to leave the snapshots of the machine's disks to the plugin."""
    found = server.version(case.around.server) if case.around.server else None
    if found and found < (1, 18, 0):
        return _OLD_SWITCH
    policies = ", ".join(map(_policy, _drivers(case) or ["DRIVER"]))
    request = case.around.request
    namespace = it.namespace(request)
    name = it.text(request, "spec", "resourcePolicy", "name")
    if name:
        switch = f"put first into volumePolicies of ConfigMap {namespace}/{name}: [{policies}]"
    else:
        text = shlex.quote(f"{{version: v1, volumePolicies: [{policies}]}}")
        switch = (
            f"oc create configmap {_CONFIG_MAP} -n {namespace} --from-literal=policies={text} and "
            f"spec.resourcePolicy: {{kind: configmap, name: {_CONFIG_MAP}}} in the Backup"
        )
    return switch if found else f"{switch}; before Velero 1.18 {_OLD_SWITCH}"


def _policy(driver: str) -> str:
    """A policy for the volumes of a driver; Velero takes no pattern, so each driver has its own."""
    # as JSON, which YAML reads: a driver's name is what somebody wrote into an object
    conditions = f"{{csi: {{driver: {orjson.dumps(driver).decode()}}}}}"
    action = "{type: custom, parameters: {snapshotter: stillpoint}}"
    return f"{{conditions: {conditions}, action: {action}}}"


def _drivers(case: Case) -> Sequence[str]:
    """The CSI drivers of the disks whose snapshots Velero takes."""
    claims = (claim for _, claim in disks.claims(case))
    by_velero = (one for one in claims if case.around.fates.of(one) is Fate.SNAPSHOT)
    return sorted({driver for one in by_velero if (driver := disks.csi_driver(case, one))})


def _sharing(case: Case) -> Iterator[str]:
    for claim, machines in guest.sharing(case):
        yield f"claim {claim.name} joins {len(machines)} machines: {listing(machines)}"


def of_snapshot_gate(case: Case) -> str:
    """The feature gate is turned on in the object that has it."""
    return "; ".join(
        kubevirt.command_for_feature_gate(one, "Snapshot")
        for one in case.around.all_of(kubevirt.RESOURCE)
        if not kubevirt.has_feature_gate(one, "Snapshot")
    )
