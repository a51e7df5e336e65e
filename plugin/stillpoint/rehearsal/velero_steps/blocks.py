"""Item blocks as Velero builds them: an item, its related items, theirs, and so on.

Source: pkg/backup/backup.go of Velero v1.18, executeItemBlockActions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.rehearsal.plugin.calls import BackupCalls, applicable
from stillpoint.rehearsal.velero_steps import velero_actions
from stillpoint.rehearsal.velero_steps.selection import Selection


@dataclass(frozen=True, slots=True)
class Block:
    """Items that Velero backs up between the same two hooks.

    Attributes:
        items: in the order in which Velero backs them up.
        errors: of actions that were asked for related items; the block is built all the same.
    """

    items: tuple[Reference, ...]
    errors: tuple[str, ...] = ()


def build(selection: Selection, plugin: BackupCalls) -> Sequence[Block]:
    """The blocks of a backup, in the order of collection."""
    builder = _Builder(selection, plugin)
    blocks = [builder.block_of(reference) for reference in selection.collect()]
    return [block for block in blocks if block.items]


class _Builder:
    def __init__(self, selection: Selection, plugin: BackupCalls) -> None:
        self._selection = selection
        self._plugin = plugin
        self._pods = velero_actions.pods_by_claim(selection)
        self._seen: set[Reference] = set()  # in a block, excluded, or not there
        self._errors: list[str] = []

    def block_of(self, first: Reference) -> Block:
        """Depth first, so that the order is Velero's; a block can be deeper than our stack."""
        self._errors = []
        if not self._joins(first):
            return Block(())
        joined = [first]
        open_ = [self._members(first)]
        while open_:
            reference = next(open_[-1], None)
            if reference is None:
                open_.pop()
            elif self._joins(reference):
                joined.append(reference)
                open_.append(self._members(reference))
        return Block(tuple(joined), tuple(self._errors))

    def _joins(self, reference: Reference) -> bool:
        if reference in self._seen or reference not in self._selection.cluster:
            return False
        self._seen.add(reference)
        return self._selection.admits(reference)

    def _members(self, reference: Reference) -> Iterator[Reference]:
        item = self._selection.cluster[reference]
        yield from velero_actions.related_items(reference, item, self._pods)
        for action in applicable(self._plugin.block_actions, reference, item):
            try:
                yield from self._plugin.related_items(action, item)
            except ActionFailed as error:
                self._errors.append(error.cause)
