"""Reads of the cluster, for actions and everybody else."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

Lookup = Callable[[str], Item | None]
"""The object of a name, or None."""

PAGE = 2_000
"""Objects of a list in one response: of pods, some 20 MB."""


class Change(NamedTuple):
    """The state of an object: its last, if the object was deleted."""

    item: Item
    is_deleted: bool = False


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

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        """As `Reader.changes`; nothing of it is cached."""

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
