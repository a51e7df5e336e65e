"""The existing object of a name that is to be restored: KubeVirt's readiness policies.

Velero never replaces an object. An existing object stays unchanged, or, with
`existingResourcePolicy: update`, becomes the backup's; and an object that is being deleted counts
as existing, so that soon there is none. Hence:

- an object that is being deleted is awaited until gone;
- a machine that runs is waited for, or stopped, only if Velero is to change it.

Velero restores one object after the other, so all of a restore waits: the grace period counts from
the restore's start, for all of its machines together.
"""

from datetime import datetime, timedelta

from stillpoint.model import conditions as words
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero.context import RestoreContext

GRACE = timedelta(minutes=5)
"""KubeVirt's `DefaultGracePeriod` (snapshot.kubevirt.io/v1beta1), which cannot be set either."""

POLL_S = 5.0

_HINT = (
    f"stop it, or restore it beside the other with {words.RENAME}, or set "
    f"{words.TARGET_READINESS_POLICY}: {words.STOP_TARGET} with existingResourcePolicy: update"
)


def await_deletion(resource: Resource, item: Item, context: RestoreContext) -> None:
    """Waits until no object of the item's name is being deleted any more.

    Raises:
        Refusal: an object is still being deleted after the grace period.
    """
    namespace = context.restore.namespace(it.namespace(context.stored))
    target = (resource, namespace, it.name(item))
    existing = context.cluster.get_listed(*target)
    expiry = _start(context) + GRACE
    while existing and it.is_being_deleted(existing):
        cause = "one of that name is still being deleted"
        _sleep_until(expiry, it.describe(existing), cause, "see which finalizer holds it", context)
        existing = context.cluster.current(*target)


def make_ready(item: Item, context: RestoreContext) -> None:
    """Waits until Velero can create the machine, or change the existing machine of its name.

    Raises:
        Refusal: the restore's policy forbids that, or ends the wait.
    """
    stored = it.identify(context.stored)
    target = (context.restore.namespace(stored[0]), it.name(item))
    existing = context.cluster.get_listed(virtual_machine.RESOURCE, *target)
    if existing is None:
        return
    policy = context.restore.conditions.target_readiness_policy.of(*stored)
    if not (context.restore.is_updating or it.is_being_deleted(existing)):
        _leave(existing, policy, context)
        return
    if policy == words.STOP_TARGET and _obstacle(target, context):
        _stop(existing, context)
    waits = {words.FAIL_IMMEDIATE: timedelta(), words.WAIT_GRACE_PERIOD: GRACE}
    expiry = _start(context) + waits.get(policy, context.restore.operation_timeout)
    while cause := _obstacle(target, context):
        _sleep_until(expiry, it.describe(existing), f"{cause} ({policy})", _HINT, context)


def _leave(existing: Item, policy: str, context: RestoreContext) -> None:
    """Checks the policy for a machine that Velero will not change."""
    is_patient = policy in (words.WAIT_GRACE_PERIOD, words.WAIT_EVENTUALLY)
    if is_patient or not _runs(existing, context):
        context.log.info("exists: Velero leaves it as it is; its disks, too")
        return
    cause = f"it exists and runs ({policy})"
    if policy == words.STOP_TARGET:
        cause = "it exists, and stopped for nothing: Velero would leave it as it is"
    raise Refusal(it.describe(existing), "cannot restore over it", cause, _HINT)


def _obstacle(target: tuple[str, str], context: RestoreContext) -> str:
    """The reason why Velero cannot restore the machine now; empty if none."""
    machine = context.cluster.current(virtual_machine.RESOURCE, *target)
    if machine is None:
        return ""
    if it.is_being_deleted(machine):
        return "it is being deleted"
    return "it runs" if _runs(machine, context) else ""


def _runs(machine: Item, context: RestoreContext) -> bool:
    """True if the machine has an instance, in whatever phase: KubeVirt's measure."""
    identity = it.identify(machine)
    return context.cluster.current(virtual_machine_instance.RESOURCE, *identity) is not None


def _stop(machine: Item, context: RestoreContext) -> None:
    if (
        it.is_being_deleted(machine)
        or virtual_machine.run_strategy(machine) == virtual_machine.HALTED
    ):
        return
    context.log.warning("stopped, as %s asks", words.TARGET_READINESS_POLICY)
    change = {"spec": {"runStrategy": virtual_machine.HALTED, "running": None}}
    context.writer.patch(virtual_machine.RESOURCE, *it.identify(machine), change)


def _start(context: RestoreContext) -> datetime:
    return context.restore.start_time or context.clock.now()


def _sleep_until(
    expiry: datetime, subject: str, cause: str, hint: str, context: RestoreContext
) -> None:
    if context.clock.now() >= expiry:
        raise Refusal(subject, "cannot restore over it", cause, hint)
    context.log.info("waits: %s", cause)
    context.clock.sleep(POLL_S)
