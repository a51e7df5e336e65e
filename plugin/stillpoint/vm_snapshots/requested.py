"""Clones and restores by KubeVirt, each requested by an object that tells its end."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.errors import ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.model.reference import Resource
from stillpoint.model.writer import Writer
from stillpoint.vm_snapshots.errors import NoSuchObject, NotMade
from stillpoint.vm_snapshots.waiting import PAUSE_S, Report

_UNKNOWN_FIELD = "unknown field"  # of k8s.io/apimachinery's strict decoding, with the path


def create(writer: Writer, resource: Resource, item: Item) -> Item | None:
    """Creates an object; None if there is one of that name.

    Raises:
        NotMade: the cluster does not know a field of it.
        ReadFailed: the cluster refused it, or does not answer.
    """
    try:
        return writer.create(resource, item)
    except ReadFailed as error:
        if _UNKNOWN_FIELD not in error.cause:
            raise
        hint = "this KubeVirt is older than an option that was given: leave it out, or update"
        raise NotMade(error.subject, error.attempt, error.cause, hint) from error


class Outcome(StrEnum):
    """The state of a clone or a restore."""

    COMPLETE = "complete"
    FAILED = "failed"
    UNDER_WAY = "under way"


class State(Protocol):
    """The object as the cluster has it."""

    @property
    def outcome(self) -> Outcome: ...


S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """A kind of such objects.

    Attributes:
        word: what a person calls one of them.
        as_state: makes a state of an object.
        said: what an object says of its way.
    """

    resource: Resource
    word: str
    as_state: Callable[[Item], S]
    said: Callable[[Item], str]

    def create(self, writer: Writer, item: Item) -> Item:
        """Creates the object; as the cluster has it.

        Raises:
            NotMade: there is one of that name.
            ReadFailed: the cluster refused it, or does not answer.
        """
        made = create(writer, self.resource, item)
        if made is None:
            cause = f"a {self.word} of that name exists, or the response to the request was lost"
            subject = f"{self.resource.kind} {'/'.join(it.identify(item))}"
            raise NotMade(subject, "cannot create it", cause, "give another --name")
        return made

    def wait(
        self,
        reader: Reader,
        identity: tuple[str, str],
        longest_s: float,
        clock: Clock,
        report: Report,
    ) -> S:
        """Waits until the object is complete or has failed, at most so long; as last seen.

        Args:
            identity: namespace and name.

        Raises:
            NoSuchObject: there is no such object, or it was deleted meanwhile.
            ReadFailed: a request failed.
        """
        began = clock.now()
        while True:
            found = reader.get(self.resource, *identity)
            if found is None:
                subject = f"{self.resource.kind} {'/'.join(identity)}"
                raise NoSuchObject(subject, "cannot wait for it", f"there is no such {self.word}")
            state = self.as_state(found)
            report(0, 1, self.said(found))
            is_late = (clock.now() - began).total_seconds() >= longest_s
            if state.outcome is not Outcome.UNDER_WAY or is_late:
                return state
            clock.sleep(PAUSE_S)
