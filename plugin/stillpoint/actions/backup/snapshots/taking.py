"""Snapshots that are taken at one time, and what each claim gets in the end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model.errors import SnapshotFailed
from stillpoint.model.item import Item
from stillpoint.velero.context import BackupContext

ATTEMPT = "cannot take a snapshot"


class Taking:
    """Snapshots that are under way; each claim ends with its VolumeSnapshot, or with an error.

    Attributes:
        KIND: for the log.
        HINT: where to look if the storage is silent.
        claims: all of them.
        context: of the action that takes them.
        began: before the first of them was created.
        failed: claims that have none; there may be some of it in the cluster.
    """

    KIND = ""
    HINT = ""

    def __init__(self, claims: Sequence[Item], context: BackupContext) -> None:
        self.claims = claims
        self.context = context
        self.began: datetime = context.clock.now()
        self.within = timedelta()
        self.failed: list[Item] = []
        self.left = {it.name(claim): claim for claim in claims}
        self.messages: dict[str, str] = {}
        """Of the storage about its failures, by claim."""

    @property
    def namespace(self) -> str:
        """The namespace of all claims."""
        return it.namespace(self.claims[0])

    @property
    def taken(self) -> Sequence[str]:
        """Names of the claims that the storage has taken."""
        return [it.name(claim) for claim in self.claims if claim not in self.failed]

    def take(self) -> None:
        """Returns when the storage has the bytes of all, or has failed, or the time is over."""
        try:
            self.begin()
        except Exception as error:  # noqa: BLE001 - for each claim that is left, in its own call
            self.fail_left(error)
        self.within = self.context.clock.now() - self.began

    def begin(self) -> None:
        """Takes the snapshots; what it leaves without an end is failed by the caller."""
        raise NotImplementedError

    def given_back(self) -> Sequence[Item]:
        """Claims of which nothing was taken, and which are to be taken one by one."""
        return ()

    def settle(self) -> None:
        """Ends what is left, when the guest has been thawed."""
        try:
            self.conclude()
        except Exception as error:  # noqa: BLE001 - for each claim that is left, in its own call
            self.fail_left(error)

    def conclude(self) -> None:
        """Ends what is left; what it leaves without an end is failed by the caller."""

    def clean_up(self) -> None:
        """Deletes what no backup will hold, while nobody waits; a failure is logged."""
        raise NotImplementedError

    def left_s(self, since: datetime) -> float:
        """Seconds that are left of the Backup's limit."""
        limit = self.context.backup.snapshot_timeout
        return (limit - (self.context.clock.now() - since)).total_seconds()

    def end(self, claim: Item, outcome: Item | Exception) -> None:
        """Gives a claim its VolumeSnapshot, or why there is none."""
        del self.left[it.name(claim)]
        if isinstance(outcome, Exception):
            self.failed.append(claim)
        self.context.snapshots.end(it.uid(claim), outcome)

    def fail_left(self, error: Exception | None = None) -> None:
        """Gives up the claims that are left, by default because the time is over."""
        for claim in list(self.left.values()):
            self.end(claim, error or self._too_late(claim))

    def _too_late(self, claim: Item) -> SnapshotFailed:
        after = f"{self.context.backup.snapshot_timeout.total_seconds():g} s (csiSnapshotTimeout)"
        message = self.messages.get(it.name(claim))
        said = f", the storage's last message: {message}" if message else ""
        return SnapshotFailed(it.describe(claim), ATTEMPT, f"none after {after}{said}", self.HINT)
