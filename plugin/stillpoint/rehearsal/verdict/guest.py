"""Facts about the freeze of a guest."""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.verdict.case import Case, once
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import kubevirt, pod, virtual_machine, virtual_machine_instance
from stillpoint.velero import pod_hooks

MACHINE = ("",)
"""About the machine itself."""

_NOTHING: tuple[str, ...] = ()


@once
def runs(case: Case) -> bool:
    """True if a guest writes to its disks, and so needs a freeze."""
    instance = case.instance
    if instance is None or state_unknown(case):  # a manifest of a repository has no status
        return False
    return not virtual_machine_instance.is_paused(instance)


def state_unknown(case: Case) -> tuple[str, ...]:
    """Nothing says whether the guest runs."""
    if case.instance is not None:
        has_phase = bool(it.text(case.instance, "status", "phase"))
        return _NOTHING if has_phase else MACHINE
    has_status = virtual_machine.has_status(case.machine)
    return _NOTHING if has_status and not virtual_machine.has_instance(case.machine) else MACHINE


def paused(case: Case) -> tuple[str, ...]:
    """The guest stands still with unwritten memory."""
    instance = case.instance
    return MACHINE if instance and virtual_machine_instance.is_paused(instance) else _NOTHING


def starting(case: Case) -> tuple[str, ...]:
    """The guest is on its way."""
    instance = case.instance
    return MACHINE if instance and virtual_machine_instance.is_starting(instance) else _NOTHING


def migrating(case: Case) -> tuple[str, ...]:
    """A live migration goes on."""
    instance = case.instance
    return MACHINE if instance and virtual_machine_instance.is_migrating(instance) else _NOTHING


def frozen_now(case: Case) -> tuple[str, ...]:
    """Somebody else has frozen the guest."""
    instance = case.instance
    return MACHINE if instance and virtual_machine_instance.is_frozen(instance) else _NOTHING


@once
def agent_not_connected(case: Case) -> tuple[str, ...]:
    """The agent does not answer; a guest that starts is not expected to have it yet."""
    if not runs(case) or case.instance is None or starting(case):
        return _NOTHING
    return _NOTHING if virtual_machine_instance.is_agent_connected(case.instance) else MACHINE


def agent_lacks_commands(case: Case) -> tuple[str, ...]:
    """KubeVirt misses commands in the agent."""
    if not runs(case) or case.instance is None or agent_not_connected(case):
        return _NOTHING
    has_all = virtual_machine_instance.has_agent_all_commands(case.instance)
    return _NOTHING if has_all else MACHINE


def hooks_off(case: Case) -> tuple[str, ...]:
    """Somebody has switched the hooks off, at the instance or for the whole cluster."""
    if not hooks_absent_or_off(case):
        return _NOTHING
    own = virtual_machine_instance.skips_hooks(case.instance or {})
    if own is not None:
        return MACHINE if own else _NOTHING
    installations = case.around.all_of(kubevirt.RESOURCE)
    return MACHINE if any(map(kubevirt.are_hooks_skipped, installations)) else _NOTHING


def hooks_absent(case: Case) -> tuple[str, ...]:
    """No launcher pod of the block has the hook, and no annotation switches it off."""
    return MACHINE if hooks_absent_or_off(case) and not hooks_off(case) else _NOTHING


@once
def hooks_absent_or_off(case: Case) -> bool:
    """True if nothing will request a freeze of the guest."""
    if not runs(case):
        return False
    cluster = case.around.cluster
    request = case.around.request
    return not any(pod_hooks.freezes(cluster[one], request) for one in case.launchers)


@once
def would_freeze(case: Case) -> bool:
    """True if all that a freeze needs is there, as far as the cluster shows."""
    causes = (hooks_absent_or_off, agent_not_connected, agent_lacks_commands, starting, migrating)
    return runs(case) and not any(cause(case) for cause in causes)


def outside_block(case: Case) -> Iterator[str]:
    """Disks of a guest that runs, which the backup holds outside of the frozen window."""
    for disk in case.disks if runs(case) else ():
        if disk.claim in case.around.backup.stored and disk.claim not in case.block:
            yield disk.name


def sharing(case: Case) -> Iterator[tuple[Reference, tuple[str, ...]]]:
    """Claims that launcher pods of other machines mount too, with these machines.

    Velero puts all pods of a claim into one block, and runs the hooks of all of them before its
    first item (pkg/util/actionhelpers, v1.18).
    """
    cluster = case.around.cluster
    pods = [cluster[one] for one in case.block if one.is_of(pod.RESOURCE)]
    own = {name for one in case.launchers for name in pod.claims(cluster[one])}
    for claim in sorted(own):
        mounting = (one for one in pods if claim in pod.claims(one))
        machines = {name for one in mounting for name in pod.instances(one)}
        if len(machines) > 1:
            yield (
                persistent_volume_claim.RESOURCE.named(case.reference.namespace, claim),
                tuple(sorted(machines)),
            )


def hooks_of_guest_unknown(case: Case) -> tuple[str, ...]:
    """No object of a cluster shows what a freeze does inside the guest."""
    return MACHINE if would_freeze(case) else _NOTHING
