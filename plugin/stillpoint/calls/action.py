"""The shape of an action, and its entry in the catalogue.

An action is a module with these names. An action whose outcome names an operation defines
`progress` and `cancel` as well, and a restore action that waits for additional items
`are_additional_items_ready`. Every one says what it `DOES` in a cell of docs/actions.md, which
`make docs` writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from stillpoint.model.item import Item
from stillpoint.model.reference import Reference

if TYPE_CHECKING:
    from stillpoint.model.outcome import BackupOutcome, Progress, RestoreOutcome, Selector
    from stillpoint.velero.context import BackupContext, RestoreContext


class Kind(StrEnum):
    """Velero's names of the kinds that are registered here.

    Velero lists a version 1 action as version 2 as well, and runs a name that is registered as
    both twice: so version 2 is the only one in use.
    """

    BACKUP = "BackupItemActionV2"
    RESTORE = "RestoreItemActionV2"
    ITEM_BLOCK = "ItemBlockAction"


class BackupAction(Protocol):
    """Called for each selected item before it goes into the archive."""

    @property
    def APPLIES_TO(self) -> "Selector": ...  # noqa: N802 - a constant of a module

    def execute(self, item: Item, context: "BackupContext") -> "BackupOutcome": ...


class RestoreAction(Protocol):
    """Called for each item of the archive before it is created."""

    @property
    def APPLIES_TO(self) -> "Selector": ...  # noqa: N802

    def execute(self, item: Item, context: "RestoreContext") -> "RestoreOutcome": ...


class ItemBlockAction(Protocol):
    """Called for each selected item to learn which others share its freeze."""

    @property
    def APPLIES_TO(self) -> "Selector": ...  # noqa: N802

    def related_items(self, item: Item, context: "BackupContext") -> Sequence[Reference]: ...


@runtime_checkable
class ActionWithOperations(Protocol):
    """An action whose work goes on after its outcome was returned.

    The state of that work lives in the operation's id or in the cluster: Velero polls in a new
    process each time.
    """

    def progress(self, operation: str, context: "BackupContext | RestoreContext") -> "Progress": ...

    def cancel(self, operation: str, context: "BackupContext | RestoreContext") -> None: ...


@runtime_checkable
class Waiting(Protocol):
    """A restore action whose item must not be created before its additional items are ready."""

    def are_additional_items_ready(
        self, references: Sequence[Reference], context: "RestoreContext"
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """A backup action under its name, for instance `stillpoint.dev/backup-virtual-machine`."""

    name: str
    action: BackupAction
    kind: Kind = Kind.BACKUP


@dataclass(frozen=True, slots=True)
class RestoreEntry:
    """A restore action under its name."""

    name: str
    action: RestoreAction
    kind: Kind = Kind.RESTORE


@dataclass(frozen=True, slots=True)
class ItemBlockEntry:
    """An item-block action under its name."""

    name: str
    action: ItemBlockAction
    kind: Kind = Kind.ITEM_BLOCK


Entry: TypeAlias = BackupEntry | RestoreEntry | ItemBlockEntry


class Catalogue(Protocol):
    """All actions, kind by kind; names are unique within a kind."""

    def backup(self) -> Sequence[BackupEntry]: ...

    def item_block(self) -> Sequence[ItemBlockEntry]: ...

    def restore(self) -> Sequence[RestoreEntry]: ...


def every(catalogue: Catalogue) -> tuple[Entry, ...]:
    """The entries of all kinds."""
    return (*catalogue.backup(), *catalogue.item_block(), *catalogue.restore())
