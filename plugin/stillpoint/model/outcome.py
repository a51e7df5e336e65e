"""Outcomes of actions."""

from dataclasses import dataclass
from datetime import datetime

from stillpoint.model.item import Item
from stillpoint.model.reference import Reference


@dataclass(frozen=True, slots=True)
class Selector:
    """Selects the items that an action is called for; empty means all.

    Attributes:
        resources: `plural.group`, for instance `virtualmachines.kubevirt.io`.
        labels: a label selector in the syntax of the Kubernetes API.
        excluded: resources that the action is not called for.
    """

    resources: tuple[str, ...]
    labels: str = ""
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupOutcome:
    """The outcome of a backup action.

    Attributes:
        item: the item to store.
        additional: items that Velero is to back up too; each costs Velero a GET, so name none that
            is selected anyway.
        operation: id of work that goes on; Velero asks `progress` about it.
        after_operation: items to store again when that work has ended.
    """

    item: Item
    additional: tuple[Reference, ...] = ()
    operation: str = ""
    after_operation: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreOutcome:
    """The outcome of a restore action.

    Attributes:
        item: the item to create.
        additional: items of the backup that are to be restored first.
        skip: leave this item out.
        operation: id of work that goes on; Velero asks `progress` about it.
        wait_for_additional: ask `are_additional_items_ready` before this item is created.
    """

    item: Item
    additional: tuple[Reference, ...] = ()
    skip: bool = False
    operation: str = ""
    wait_for_additional: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """State of an operation that goes on after its action has answered. All times are aware."""

    started: datetime
    updated: datetime
    completed: bool = False
    error: str = ""
    done: int = 0
    total: int = 0
    units: str = ""
    description: str = ""
