"""Velero's Backup and Restore, parsed once at the edge.

Source: the CRDs of velero.io/v1 as of Velero v1.18.
"""

from dataclasses import dataclass
from datetime import datetime

from plugin.model import item as it
from plugin.model.conditions import Conditions
from plugin.model.filters import Filters
from plugin.model.item import Item


@dataclass(frozen=True, slots=True)
class Backup:
    """A running backup.

    Attributes:
        uid: tells two backups of one name apart.
        started: when Velero began; it lists what it will back up after that moment. None if the
            backup does not say.
    """

    name: str
    uid: str
    started: datetime | None
    filters: Filters

    @classmethod
    def parse(cls, backup: Item) -> "Backup":
        """Parse a Backup object. An empty one selects everything and tells nothing.

        Raises:
            MalformedItem: a field has the wrong type.
        """
        return cls(
            it.name(backup),
            it.uid(backup),
            it.time(backup, "status", "startTimestamp"),
            Filters.parse(backup),
        )


@dataclass(frozen=True, slots=True)
class Restore:
    """A running restore."""

    name: str
    uid: str
    conditions: Conditions

    @classmethod
    def parse(cls, restore: Item) -> "Restore":
        """Parse a Restore object.

        Raises:
            MalformedItem: a field has the wrong type.
            Refusal: it asks for what cannot be.
        """
        return cls(it.name(restore), it.uid(restore), Conditions.parse(restore))
