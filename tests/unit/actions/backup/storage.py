"""A cluster in memory with a snapshot controller and a driver, which do what a test orders."""

from collections.abc import Callable, Generator, Iterable, Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.model.reference import Resource
from tests.unit.dictionary_reader import DictionaryReader

SNAPSHOTS, CONTENTS = kinds.VOLUME_SNAPSHOT, kinds.VOLUME_SNAPSHOT_CONTENT

Order = Callable[["Storage", Item], Iterable[Item]]
"""The states that a VolumeSnapshot goes through; contents are put into the cluster on the way."""


def takes(storage: "Storage", snapshot: Item, **content: object) -> Iterable[Item]:
    """Bound first; then the driver has the bytes."""
    yield bound(snapshot)
    storage.objects.append(content_of(snapshot, snapshotHandle="s-1", restoreSize=2**30, **content))
    yield bound(snapshot, creationTime="2026-05-04T12:00:01Z")


def fails(storage: "Storage", snapshot: Item) -> Iterable[Item]:
    """The driver fails again and again."""
    storage.objects.append(content_of(snapshot, error={"message": "pool is full"}))
    yield bound(snapshot, error={"message": "pool is full"})


def says_nothing(_storage: "Storage", snapshot: Item) -> Iterable[Item]:
    """No controller runs."""
    yield snapshot


def bound(snapshot: Item, **status: object) -> Item:
    name = f"snapcontent-of-{it.name(snapshot)}"
    return {**snapshot, "status": {"boundVolumeSnapshotContentName": name, **status}}


def content_of(snapshot: Item, **status: object) -> Item:
    of = {"namespace": it.namespace(snapshot), "name": it.name(snapshot), "uid": it.uid(snapshot)}
    return {
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": f"snapcontent-of-{it.name(snapshot)}"},
        "spec": {"deletionPolicy": "Retain", "driver": "fast.io", "volumeSnapshotRef": of},
        "status": status,
    }


class Storage(DictionaryReader):
    """Snapshots go through their states when somebody watches them.

    Attributes:
        orders: by claim; a snapshot of any other claim is taken.
        failures: the error of the first request that begins with these words.
        watched: for how long, in seconds, each time.
    """

    def __init__(self, objects: Sequence[Item], **orders: Order) -> None:
        super().__init__(objects)
        self.orders = orders
        self.failures: dict[str, Exception] = {}
        self.watched: list[float] = []

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        self.watched.append(longest_s)
        for change in list(super().changes(resource, namespace, labels, longest_s)):
            yield change
            claim = it.text(change.item, "spec", "source", "persistentVolumeClaimName")
            for state in self.orders.get(claim, takes)(self, change.item):
                with self._lock:
                    places = [it.name(one) for one in self.objects]
                    self.objects[places.index(it.name(state))] = state
                yield Change(state)

    def of(self, kind: str) -> Sequence[Item]:
        return [one for one in self.objects if one["kind"] == kind]

    def _ask(self, question: str) -> None:
        super()._ask(question)
        for beginning, error in list(self.failures.items()):
            if question.startswith(beginning):
                del self.failures[beginning]
                raise error
