"""What actions may ask the cluster: reads, and nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

Lookup = Callable[[str], Item | None]
"""The object of a name, or None."""


class Reader(Protocol):
    """Reads objects of the Kubernetes API. Answers are shared: nobody changes them."""

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """One object, or None if it does not exist.

        Raises:
            ReadFailed: the question was not answered.
        """

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        """All objects of one resource in one namespace that match a label selector.

        A resource that the cluster does not serve has no objects.

        Raises:
            ReadFailed: the question was not answered, or not to its end.
        """

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        """All objects of one resource in one namespace by name, each as it is when it is asked for.

        They stay as they were listed from when the cluster does not let us follow its changes, or
        no longer, and after `longest_s`.

        Raises:
            ReadFailed: as `list` does.
        """


class Index(Protocol):
    """A `Reader` for many questions about one namespace: each list is read once."""

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """One object, or None if it does not exist; `Reader.get` says the rest."""

    def single(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `get`, without a list of its namespace: for what one does not want to read all of."""

    def get_listed(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `get`, but None for what was created after the namespace was listed."""

    def latest(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `get`, but also what changed since its namespace was listed: see `Reader.follow`."""

    def current(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """As `Reader.get`, asked anew each time: for a fact that changes while one waits for it."""

    def list_grouped(
        self,
        resource: Resource,
        namespace: str,
        by: Callable[[Item], Iterable[str]],
        labels: str = "",
    ) -> Mapping[str, Sequence[Item]]:
        """The answer of `Reader.list`, grouped by each of the keys that `by` gives an object.

        Example: `index.grouped(PODS, "shop", launcher_pod.instance_uids)["6f1c"]`.
        `by` is part of the question: pass a function of a module, not a lambda.
        """
