"""One item block per virtual machine: what must be cut inside one freeze, and nothing else.

Velero runs the freeze hook of a pod, then backs up every item of the block, then thaws (v1.15 and
newer). It asks for the related items of each item that joins, so each action names only the whole.
"""

from collections.abc import Iterator, Sequence

from plugin.actions import surroundings
from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.reader import Index
from plugin.model.reference import Reference
from plugin.resources import (
    persistent_volume_claim,
    pod,
    virtual_machine,
    virtual_machine_instance,
    volume,
)


def of(namespace: str, name: str, context: BackupContext) -> tuple[Reference, ...]:
    """The block of the virtual machine, or of the instance without one, of this name."""
    return tuple(dict.fromkeys(_members(namespace, name, context.cluster)))


def _members(namespace: str, name: str, cluster: Index) -> Iterator[Reference]:
    claims: list[str] = []
    if instance := surroundings.instance(cluster, namespace, name):
        if launcher := surroundings.launcher_pod(cluster, instance):
            yield pod.RESOURCE.named(namespace, it.name(launcher))
        for attachment in virtual_machine_instance.attachment_pods(instance):
            yield pod.RESOURCE.named(namespace, attachment)
        yield virtual_machine_instance.RESOURCE.named(namespace, name)
        claims += _disks(virtual_machine_instance.volumes(instance))
    if machine := surroundings.machine(cluster, namespace, name):
        yield virtual_machine.RESOURCE.named(namespace, name)
        claims += _disks(virtual_machine.volumes(machine))
    claims += map(it.name, surroundings.state_claims(cluster, namespace, name))
    for claim in claims:
        yield persistent_volume_claim.RESOURCE.named(namespace, claim)


def _disks(volumes: Sequence[Item]) -> Iterator[str]:
    return filter(None, map(volume.disk_claim, volumes))
