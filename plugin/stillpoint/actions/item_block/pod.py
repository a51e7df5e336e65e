"""The block of the pods of a virtual machine.

Velero takes pods before all else, so most blocks begin here. An attachment pod mounts a hot-plugged
disk; without this action pod and disk would be a block of their own, which no freeze covers.

Whatever mounts a disk of the guest is of its block. Velero backs up the claims of a pod with it,
and adds to the block of a claim only pods that run. So a pod that waits or has ended, such as the
source of a migration or an import that is over, would be a block of its own, and with several
item-block workers its disk would be taken there before the guest is frozen.
"""

from collections.abc import Iterable, Iterator

from stillpoint.actions import reach, surroundings
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import Selector
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(pod.RESOURCE),), pod.OF_MACHINES)
DOES = (
    "the instance of a launcher pod; the launcher pod of one that attaches a hot-plugged disk; "
    "other pods that mount its disks, running or not"
)


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The instance of a launcher pod, the launcher pod of an attachment pod, pods with its claims.

    Velero itself adds the claims that a pod mounts, and the running pods that mount a claim.
    """
    namespace, name = it.identify(item)
    if pod.is_over(item):  # the source of a live migration that has ended
        return ()
    own = pod.RESOURCE.named(namespace, name)
    claims = [persistent_volume_claim.RESOURCE.named(namespace, each) for each in pod.claims(item)]
    related = (
        *(virtual_machine_instance.RESOURCE.named(namespace, each) for each in pod.instances(item)),
        *(pod.RESOURCE.named(namespace, each) for each in pod.launchers(item)),
        *dict.fromkeys(_mounting(claims, own, context)),
    )
    joined_by = claims if pod.is_running(item) else ()
    context.blocks.add(own, (*related, *claims), joined_by)
    return related


def _mounting(
    claims: Iterable[Reference], own: Reference, context: BackupContext
) -> Iterator[Reference]:
    for claim in claims:
        for found in surroundings.mounting(context.cluster, claim.namespace, claim.name):
            other = pod.RESOURCE.named(*it.identify(found))
            if other != own and reach.is_pod_meant(found, context):
                yield other
