"""Requests that evidence costs: for each machine, for each disk, and once for a namespace."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from stillpoint.actions.backup import (
    persistent_volume_claim,
    virtual_machine,
    virtual_machine_instance,
    volume_snapshot,
)
from stillpoint.actions.item_block import virtual_machine_instance as block
from stillpoint.actions.watching import observer
from stillpoint.model.item import Item
from stillpoint.velero.context import BackupContext
from tests.unit.actions.evidence import world
from tests.unit.contexts import NOW, Hands, backup_context
from tests.unit.dictionary_reader import DictionaryReader

DISKS = 3


def machine_with_disks(name: str) -> Sequence[Item]:
    disks = [f"{name}-{number}" for number in range(DISKS)]
    made = [world.machine(name), world.instance(name), world.launcher(name)]
    made[0]["spec"]["template"]["spec"]["volumes"] = world.volumes(*disks)
    for one in made[1:]:
        one["spec"]["volumes"] = world.volumes(*disks)
    return [*made, *map(world.claim, disks), *map(world.snapshot, disks)]


def requests(machines: int, *, is_observed: bool, lasts_s: float = 5) -> Counter[str]:
    """Those of a backup of that many machines of one namespace, by verb and resource."""
    objects = [one for number in range(machines) for one in machine_with_disks(f"vm{number}")]
    reader, hands = DictionaryReader(objects), Hands()
    context = backup_context(world.BACKUP, reader, hands=hands)
    if is_observed:
        context = world.observing(reader, hands=hands)
    operations = back_up(reader, context, hands, lasts_s)
    observer.end_all(30)
    later = Hands(NOW + timedelta(seconds=lasts_s + 60))
    ended = world.observing(reader, world.ENDED, later)
    for operation in operations:
        assert virtual_machine.progress(operation, ended).completed
    return Counter(" ".join(question.split()[:2]) for question in reader.questions)


def back_up(
    reader: DictionaryReader, context: BackupContext, hands: Hands, lasts_s: float
) -> list[str]:
    def of(kind: str) -> list[Item]:
        return [one for one in reader.objects if one["kind"] == kind]

    instances = of("VirtualMachineInstance")
    for one in instances:
        block.related_items(one, context)
    if context.is_observed:
        streams = {f"log shop/{pod['metadata']['name']} guest-console-log" for pod in of("Pod")}
        watch = "watch virtualmachineinstances.kubevirt.io shop"
        streams |= {f"{watch}/{one['metadata']['name']}" for one in instances}
        world.wait_until(lambda: streams <= set(reader.questions))
    hands.sleep(lasts_s)
    for one in of("PersistentVolumeClaim"):
        persistent_volume_claim.execute(one, context)
    for one in of("VolumeSnapshot"):
        volume_snapshot.execute(one, context)
    for one in instances:
        virtual_machine_instance.execute(one, context)
    outcomes = [virtual_machine.execute(one, context) for one in of("VirtualMachine")]
    return [one.operation for one in outcomes if one.operation]


@pytest.mark.parametrize("lasts_s", [5, 310])
def test_a_machine_costs_four_requests_at_most_and_each_of_its_disks_two(lasts_s: float) -> None:
    """Lists of the namespace come on top, once for all of its machines."""
    costs = []
    for machines in (1, 4):
        without = requests(machines, is_observed=False, lasts_s=lasts_s)
        costs.append(requests(machines, is_observed=True, lasts_s=lasts_s) - without)
    each = {what: count / 3 for what, count in (costs[1] - costs[0]).items()}
    assert sum(each.values()) <= 4 + 2 * DISKS, each
    assert each["patch volumesnapshots.snapshot.storage.k8s.io"] == 2 * DISKS + 1
    assert costs[0].total() - sum(each.values()) <= 11, costs[0]
