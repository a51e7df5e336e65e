"""Velero's Backup and Restore, parsed once at the edge.

Source: the CRDs of velero.io/v1 as of Velero v1.18.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stillpoint.model import duration
from stillpoint.model import item as it
from stillpoint.model.conditions import Conditions
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.model.switch import is_on
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes.policy import Policy

_OPERATION_TIMEOUT = timedelta(hours=4)
"""Velero's own default."""

_METADATA_ONLY = "velero.kubevirt.io/metadataBackup"
POLICIES_OF_ALL = "velero.io/global-backup-volume-policy-configmap"
"""Annotation that the server writes: the ConfigMap with policies of all its backups."""

_MEMORY_DUMPS = "stillpoint.dev/memory-dumps"


@dataclass(frozen=True, slots=True)
class Backup:
    """A running backup.

    Attributes:
        uid: tells two backups of one name apart.
        started: when Velero began; it lists what it will back up after that moment. None if the
            backup does not say.
        policies: names of the ConfigMaps with its resource policies, beside it in its namespace;
            those of the first weigh more.
        is_of_metadata: whether it has the peer's label by which disks may be missing; as there,
            whatever the label's value is.
        asked: the Backup object.
    """

    name: str
    uid: str
    started: datetime | None
    filters: Filters
    policies: Sequence[str]
    is_of_metadata: bool
    asked: Item

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
            tuple(_policies(backup)),
            _METADATA_ONLY in it.labels(backup),
            backup,
        )

    @property
    def has_memory_dumps(self) -> bool:
        """Whether to store dumps of guests' memory: large, full of secrets, and wanted by default.

        Raises:
            Refusal: the annotation is neither yes nor no.
        """
        return is_on(self.asked, it.annotations(self.asked), _MEMORY_DUMPS, default=True)

    @property
    def namespace(self) -> str:
        """That of Velero."""
        return it.namespace(self.asked)

    def policy(self, config_map: Callable[[str], Item | None]) -> Policy:
        """Its policies, joined as Velero joins them; empty without any.

        The backup's own come first, and of those for all backups only volume policies count
        (velero-io/velero#9928). A ConfigMap that is not there may have said anything of objects.

        Args:
            config_map: gives one of `policies`.

        Raises:
            Refusal: a ConfigMap has policies that Velero refuses.
        """
        joined = Policy()
        for name in self.policies:
            is_own, found = name == _own_policy(self.asked), config_map(name)
            if found is None:
                joined = replace(joined, has_other_filters=joined.has_other_filters or is_own)
            else:
                joined = (
                    Policy.parse(found) if is_own else joined.with_fallback(Policy.parse(found))
                )
        return joined


def _own_policy(backup: Item) -> str:
    is_known = it.text(backup, "spec", "resourcePolicy", "kind").lower() == "configmap"
    return it.text(backup, "spec", "resourcePolicy", "name") if is_known else ""


def _policies(backup: Item) -> Iterator[str]:
    if own := _own_policy(backup):
        yield own
    if of_all_backups := it.text(backup, "metadata", "annotations", POLICIES_OF_ALL):
        yield of_all_backups


@dataclass(frozen=True, slots=True, eq=False)
class Restore:
    """A running restore.

    Two are equal only if they are one: what is made of it is kept by it.

    Attributes:
        filters: read as those of a Backup, whose fields and meaning they have.
        asked: the Restore object, of which `conditions` are read where they are obeyed.
    """

    name: str
    uid: str
    filters: Filters
    asked: Item

    @classmethod
    def parse(cls, restore: Item) -> "Restore":
        """Parse a Restore object.

        Raises:
            MalformedItem: a field has the wrong type.
        """
        return cls(it.name(restore), it.uid(restore), Filters.parse(restore), restore)

    @property
    def start_time(self) -> datetime | None:
        """When Velero began, or else when it was asked to; None if the restore tells neither.

        Raises:
            MalformedItem: what it tells is not a time.
        """
        return it.time(self.asked, "status", "startTimestamp") or it.creation_time(self.asked)

    @property
    def operation_timeout(self) -> timedelta:
        """How long Velero asks about an operation; Velero itself writes it into the restore."""
        told = it.text(self.asked, "spec", "itemOperationTimeout")
        return duration.parse(told) or _OPERATION_TIMEOUT

    @property
    def is_updating(self) -> bool:
        """Whether Velero changes objects that exist; else it leaves them as they are."""
        return it.text(self.asked, "spec", "existingResourcePolicy") == "update"

    @property
    def has_volumes(self) -> bool:
        """Whether Velero brings the data of claims back."""
        return it.mapping(self.asked, "spec").get("restorePVs") is not False

    def refuses(self, resource: Resource) -> bool:
        """Whether Velero restores no object of this namespaced resource, even if an action asks."""
        return not self.filters.resources.collects(str(resource), is_namespaced=True)

    def namespace(self, stored: str) -> str:
        """The namespace into which Velero puts what the backup has in another one."""
        return it.text(self.asked, "spec", "namespaceMapping", stored) or stored

    @property
    def conditions(self) -> Conditions:
        """How virtual machines are to come back.

        A label without meaning fails these, and no claim: other workloads would go on without
        their data, with new and empty claims.

        Raises:
            Refusal: the restore asks for what cannot be.
        """
        return _conditions(self)


@functools.lru_cache(maxsize=8)  # asked for ten times per item; a refusal is found anew each time
def _conditions(restore: Restore) -> Conditions:
    return Conditions.parse(restore.asked)
