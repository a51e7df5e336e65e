"""Waits for a state of one object, by watches: few requests, and an interruption ends each."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.errors import Denied, Forbidden, ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.model.reference import Reference, Resource
from stillpoint.model.writer import Cluster
from stillpoint.verification.interruption import Interruption

LONGEST_WATCH_S = 300.0
"""Of one connection: one that died unnoticed costs no more."""

SHORTEST_OF_END_S, _LONGEST_OF_END_S = 2.0, 20.0
"""Of watches for the end of an object: one that was gone before a watch began is never reported."""

_PAUSE_S = 1.0


class TimedOut(Exception):
    """The state did not come in time.

    Attributes:
        last: the object as last seen; None if it was never there, or is not any more.
    """

    def __init__(self, last: Item | None) -> None:
        super().__init__("not in time")
        self.last = last


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waits until a moment at most."""

    cluster: Cluster
    clock: Clock
    interruption: Interruption
    deadline: datetime

    def until(self, longest_s: float) -> "Waiting":
        """Waits for a shorter time."""
        soon = self.clock.now() + timedelta(seconds=longest_s)
        deadline = min(self.deadline, soon)
        return Waiting(self.cluster, self.clock, self.interruption, deadline)

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return (self.deadline - self.clock.now()).total_seconds()

    def awaited(self, object_: tuple[Resource, str, str], is_so: Callable[[Item], bool]) -> Item:
        """The object when it is as it should be.

        Args:
            object_: resource, namespace and name.

        Raises:
            TimedOut: it was not in time.
            Interrupted: the run is to end.
            ReadFailed: the account may not watch.
        """
        with closing(self.changes(object_)) as changes:
            return first(changes, is_so)

    def changes(self, object_: tuple[Resource, str, str]) -> Generator[Change, None, None]:
        """States of an object, as they come; an object that is not there yet is waited for.

        Raises:
            Interrupted: the run is to end.
            ReadFailed: the account may not watch.
        """
        resource, namespace, name = object_
        while (left_s := self.left_s) > 0:
            self.interruption.check()
            longest_s = min(left_s, LONGEST_WATCH_S)
            stream = self.cluster.watch(resource, namespace, name, longest_s)
            try:
                with self.interruption.waking(stream.close):
                    yield from (one for one in stream if it.name(one.item) == name)
            except (Forbidden, Denied):
                raise
            except ReadFailed:
                self.interruption.pause(min(left_s, _PAUSE_S))
        self.interruption.check()


def first(changes: Iterable[Change], is_so: Callable[[Item], bool]) -> Item:
    """The first state of an object that is as it should be; what comes later is left to be read.

    Raises:
        TimedOut: there was none.
    """
    last: Item | None = None
    for change in changes:
        last = None if change.is_deleted else change.item
        if last is not None and is_so(last):
            return last
    raise TimedOut(last)


def delete(
    waiting: Waiting, reference: Reference, resource: Resource, uid: str, first_s: float = 0.0
) -> Item | None:
    """Deletes an object and waits until it is gone; None then, else the object as last seen.

    Args:
        uid: of the object that is meant: another one of its name stays.
        first_s: it is watched for so long before it is read, which saves a request where it goes
            within that time, but not at once.

    Raises:
        ReadFailed: it cannot be deleted, or not be looked at.
    """
    object_ = resource, reference.namespace, reference.name
    waiting.cluster.delete(*object_, uid=uid)
    with closing(waiting.until(first_s).changes(object_)) as changes:
        return wait_until_gone(waiting, object_, uid, changes)


def wait_until_gone(
    waiting: Waiting, object_: tuple[Resource, str, str], uid: str, changes: Iterable[Change]
) -> Item | None:
    """As `delete`, of an object that is being deleted already.

    Args:
        object_: resource, namespace and name.
        changes: of the object, for a while; from before its deletion on, they miss no end of it.
    """
    watch_s = SHORTEST_OF_END_S
    while not is_seen_to_go(changes, uid):
        found = waiting.cluster.get(*object_)
        if found is None or it.uid(found) != uid:
            return None
        if waiting.left_s <= 0:
            return found
        changes = waiting.until(watch_s).changes(object_)
        watch_s = min(2 * watch_s, _LONGEST_OF_END_S)
    return None


def is_seen_to_go(changes: Iterable[Change], uid: str) -> bool:
    """True as soon as the object goes; false if that is not among its changes."""
    return any(change.is_deleted and it.uid(change.item) == uid for change in changes)
