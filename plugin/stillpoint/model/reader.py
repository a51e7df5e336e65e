"""Reads of the cluster, for actions and everybody else."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource

Part_co = TypeVar("Part_co", covariant=True)

Lookup = Callable[[str], Item | None]
"""The object of a name, or None."""

PAGE = 2_000
"""Objects of a list in one response: of pods, some 20 MB."""


class Change(NamedTuple):
    """The state of an object: its last, if the object was deleted."""

    item: Item
    is_deleted: bool = False


class Stream(Protocol[Part_co]):
    """A response that goes on, part by part."""

    def __iter__(self) -> Iterator[Part_co]:
        """The parts, each as soon as it has come; until the end of the time or of the response.

        Raises:
            ReadFailed: the request failed, or the connection broke.
        """

    def close(self) -> None:
        """Ends the parts, whichever thread waits for the next."""


class Reader(Protocol):
    """Reads objects of the Kubernetes API. Answers are shared: nobody changes them."""

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """The object, or None if there is no such object.

        Raises:
            ReadFailed: the request failed.
        """

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        """All objects of one resource in one namespace that match a label selector.

        A resource that the cluster does not serve has no objects.

        Raises:
            ReadFailed: a request failed, of any page.
        """

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        """Objects of a resource in a namespace by name, each as of the moment of the lookup.

        Without a watch, after its end, and after `longest_s`, they stay as they were listed.

        Raises:
            ReadFailed: as `list` does.
        """

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        """Objects that match a label selector: each as it is now, then as it changes.

        An object may come again unchanged. Ends after `longest_s`; close it to end earlier.

        Raises:
            ReadFailed: no watch could be opened when the time was over, or the account may not.
        """

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> Stream[Change]:
        """An object as it is now, then as it changes: by one connection, which misses nothing.

        Nothing is sent before it is asked for. An object without a name is a sign of life.
        """

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> Stream[bytes]:
        """Lines of a container's log, each behind its time by the clock of the node.

        Example: `2026-05-04T12:00:01.123456789Z login:`. Of a long line the end is missing.
        Nothing is sent before it is asked for.

        Args:
            oldest_s: older lines are left out, by the clock of the node when it gets the request;
                in whole seconds, rounded up, and at least one. None for all lines.
            follow_s: go on with what is printed later, for so long; None ends with the last line,
                and a log of which the end did not come is a failure.
        """


class Index(Protocol):
    """A `Reader` for many reads of a namespace: each list is requested once."""

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `Reader.get`, from the list of the namespace if the object is there."""

    def single(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `get`, without a list of its namespace: for a namespace of which little is needed."""

    def get_listed(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `get`, but None for an object that was created after the namespace was listed."""

    def latest(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `get`, with changes since the namespace was listed: see `Reader.follow`."""

    def current(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `Reader.get`, requested again each time: for a state that changes during a wait."""

    def list_now(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        """As `Reader.list`, requested again each time: for objects that are made meanwhile."""

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        """As `Reader.changes`; nothing of it is cached."""

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> Stream[Change]:
        """As `Reader.watch`; nothing of it is cached."""

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> Stream[bytes]:
        """As `Reader.log`; nothing of it is cached."""

    def list_grouped(
        self,
        resource: Resource,
        namespace: str,
        by: Callable[[Item], Iterable[str]],
        labels: str = "",
    ) -> Mapping[str, Sequence[Item]]:
        """The objects of `Reader.list`, by each of the keys that `by` gives an object.

        Example: `index.grouped(PODS, "shop", launcher_pod.instance_uids)["6f1c"]`.
        `by` is part of the cache's key: pass a function of a module, not a lambda.
        """
