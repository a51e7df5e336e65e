"""A backup as Velero makes it: block after block, each item through its actions.

Source: pkg/backup/item_backupper.go of Velero v1.18. No snapshot is taken, no hook is run, and
    nothing is written: the result is the backup's content.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.rehearsal.plugin.calls import BackupCalls, applicable
from stillpoint.rehearsal.velero_steps import velero_actions
from stillpoint.rehearsal.velero_steps.blocks import Block
from stillpoint.rehearsal.velero_steps.selection import Selection
from stillpoint.resources.machines import pod
from stillpoint.velero import marks, pod_hooks

_DEFINITION = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)


class BackupResult(StrEnum):
    """The result for an item."""

    STORED = "stored"
    FAILED = "failed"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class BackedUpItem:
    """An item of a backup.

    Attributes:
        block: number of its block.
        stored: the stored item; None if the backup leaves the item out.
        error: of the action that failed.
        actions: names of the plugin's actions that were called for it.
    """

    reference: Reference
    result: BackupResult
    block: int
    stored: Item | None = None
    error: str = ""
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupContents:
    """The content of a backup.

    Attributes:
        hooks: the commands that Velero runs in pods, before their blocks, by the pod.
        stored: the archive: each item as written.
    """

    blocks: tuple[Block, ...]
    items: Mapping[Reference, BackedUpItem]
    hooks: Mapping[Reference, Sequence[str]]
    stored: Mapping[Reference, Item]


def back_up(
    selection: Selection, blocks: Sequence[Block], plugin: BackupCalls, request: Item
) -> BackupContents:
    """Takes every block through the backup actions.

    Args:
        request: the Backup that is rehearsed.
    """
    backupper = _Backupper(selection, plugin)
    hooks: dict[Reference, Sequence[str]] = {}
    for number, block in enumerate(blocks):
        hooks |= {
            one: commands
            for one in block.items
            if one.is_of(pod.RESOURCE) and one not in backupper.items  # once is enough
            if (commands := pod_hooks.commands(selection.cluster[one], request))
        }
        for reference in block.items:
            backupper.back_up(reference, number, must_include=False)
    for definition in _definitions(selection, blocks, backupper.items):
        backupper.back_up(definition, len(blocks), must_include=False)
    items = backupper.items
    stored = {one: item.stored for one, item in items.items() if item.stored is not None}
    return BackupContents(tuple(blocks), items, hooks, stored)


def _definitions(
    selection: Selection, blocks: Sequence[Block], items: Mapping[Reference, BackedUpItem]
) -> Sequence[Reference]:
    """Definitions of the stored custom resources, which Velero adds at the end."""
    resource = str(_DEFINITION)
    filters = selection.filters.resources
    if filters.expels(resource) or filters.collects(resource, is_namespaced=False):
        return ()
    blocked = (one for block in blocks for one in block.items)
    stored = {one.group_resource for one in blocked if one in items and items[one].stored}
    return [_DEFINITION.named("", name) for name in sorted(stored)]


class _Backupper:
    def __init__(self, selection: Selection, plugin: BackupCalls) -> None:
        self._selection = selection
        self._plugin = plugin
        self.items: dict[Reference, BackedUpItem] = {}

    def back_up(self, reference: Reference, block: int, *, must_include: bool) -> str:
        """Gives the error that Velero would hand up to whoever asked for the item."""
        if reference not in self._selection.cluster or reference in self.items:
            return ""
        if not must_include and not self._selection.admits(reference):
            return ""
        # Velero notes an item before its actions run, so that two items may ask for each other
        self.items[reference] = BackedUpItem(reference, BackupResult.LEFT_OUT, block)
        done = self._through_actions(reference, block)
        self.items[reference] = done
        return done.error

    def _through_actions(self, reference: Reference, block: int) -> BackedUpItem:
        given = item = self._selection.cluster[reference]
        own = tuple(velero_actions.additional_items(reference, item))
        error = self._bring(own, block, must_include=False)
        called = []
        for action in applicable(self._plugin.backup_actions, reference, given):
            if error or marks.SKIPPED in it.annotations(item):
                break
            called.append(action.name)
            try:
                outcome = self._plugin.back_up(action, item)
            except ActionFailed as failure:
                error = failure.cause
                break
            item, error = self._take(outcome, block)
        if error:
            return BackedUpItem(reference, BackupResult.FAILED, block, None, error, tuple(called))
        if marks.SKIPPED in it.annotations(item):
            return BackedUpItem(reference, BackupResult.LEFT_OUT, block, None, "", tuple(called))
        return BackedUpItem(reference, BackupResult.STORED, block, item, "", tuple(called))

    def _take(self, outcome: BackupOutcome, block: int) -> tuple[Item, str]:
        """The item of an action's outcome, and the error of its additional items.

        The mark by which additional items come past the filters stays: Velero removes it from a
        copy of the annotations (executeActions in v1.18.3).
        """
        changed = outcome.item
        must_include = it.annotations(changed).get(marks.MUST_INCLUDE) == "true"
        if marks.SKIPPED in it.annotations(changed):
            return changed, ""
        return changed, self._bring(outcome.additional, block, must_include=must_include)

    def _bring(self, additional: Sequence[Reference], block: int, *, must_include: bool) -> str:
        for reference in additional:
            if error := self.back_up(reference, block, must_include=must_include):
                return error
        return ""
