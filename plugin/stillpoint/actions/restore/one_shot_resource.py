"""Restore of snapshots, restores, clones, migrations, exports and backups of virtual machines.

One-shot resources were carried out: they stay in the archive unless the restore replays them. No
machine needs them, so where only some machines are wanted they stay there in any case.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.resources import one_shot_resource
from stillpoint.velero.context import RestoreContext

APPLIES_TO = Selector(tuple(map(str, one_shot_resource.RESOURCES)))
DOES = "left out: KubeVirt would carry them out again ([replay](restore/replay.md))"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Leaves the object out, unless the restore replays it and KubeVirt may carry it out again."""
    it.identify(item)
    asked = context.restore.conditions
    if why := one_shot_resource.why_never_again(context.stored):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    if asked.is_replayed and not asked.only:
        mark = ("metadata", "annotations", one_shot_resource.CARRIED_OUT)
        return RestoreOutcome(it.without(item, *mark))
    context.log.info("not restored: KubeVirt would carry it out again")
    return RestoreOutcome(item, skip=True)
