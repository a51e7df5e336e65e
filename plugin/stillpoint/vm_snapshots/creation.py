"""The request for a snapshot of a machine."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.model import duration
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level, satisfies
from stillpoint.model.names import LONGEST_NAME, is_name
from stillpoint.model.reader import Reader
from stillpoint.model.writer import Writer
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from stillpoint.vm_snapshots import disks, reasons, requested
from stillpoint.vm_snapshots.errors import NotMade, WrongRequest
from stillpoint.vm_snapshots.facts import MachineFacts
from stillpoint.vm_snapshots.reasons import Plan, SnapshotFinding

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Intended:
    """A snapshot that is to be made.

    Attributes:
        expected: the level that it would reach at best.
    """

    item: Item
    plan: Plan
    findings: Sequence[SnapshotFinding]
    expected: Level

    @property
    def title(self) -> str:
        """`shop/db-20260101-120000`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    def obstacles(self, required: Level | None, *, accepts_partial: bool) -> Sequence[str]:
        """Why it is not made, in sentences; none if it can be."""
        found = reasons.obstacles(self.findings, accepts_partial=accepts_partial)
        if required and not satisfies(self.expected, required):
            found.append(f"the level {required} is required, and {self.expected} is to be expected")
        return found


def deadline(text: str, *, is_forced: bool) -> str:
    """The deadline in the API's form: `300` becomes `300s`, as the documentation means it.

    The API itself takes no number without a unit, except 0.

    Raises:
        WrongRequest: the text is no duration, or 0 and not forced.
    """
    span = duration.parse(f"{text}s" if _NUMBER.fullmatch(text) else text)
    subject, attempt = "--deadline", "cannot use it"
    if span is None:
        hint = "a number with a unit, 5m or 300s; a number alone is seconds"
        raise WrongRequest(subject, attempt, f"{text!r} is no duration", hint)
    if not span and not is_forced:
        cause = (
            "0 is no deadline at all: KubeVirt would wait without end, and a guest that it has "
            "frozen would stay frozen if KubeVirt failed meanwhile"
        )
        raise WrongRequest(subject, attempt, cause, "give a time, or --force")
    if not span:
        return "0s"
    return f"{text}s" if _NUMBER.fullmatch(text) else text


def deadline_s(text: str) -> float | None:
    """Seconds of a deadline in the API's form; None if there is none, or it cannot be read."""
    span = duration.parse(text)
    return span.total_seconds() if span is not None and span > timedelta() else None


def name_for(machine: str, now: datetime) -> str:
    """The name of a snapshot that was given none: `db-20260101-120000`, in UTC."""
    suffix = now.strftime("-%Y%m%d-%H%M%S")
    return f"{machine[: LONGEST_NAME - len(suffix)].rstrip('-.')}{suffix}"


def intended(facts: MachineFacts, name: str, deadline: str, policy: str) -> Intended:
    """The snapshot of a machine, with all that speaks against it.

    Raises:
        WrongRequest: no object can have that name.
    """
    if not is_name(name):
        hint = "lower-case letters, digits, - and ."
        raise WrongRequest(
            f"snapshot {name!r}", "cannot make it", "no object has such a name", hint
        )
    plan = Plan(facts, disks.of(facts))
    item = virtual_machine_snapshot.manifest(
        facts.around.namespace, name, facts.name, deadline, policy
    )
    return Intended(item, plan, reasons.findings(plan), reasons.expected(plan))


def require_free_name(reader: Reader, one: Intended) -> None:
    """Makes sure that no snapshot has the name.

    Raises:
        NotMade: one has.
        ReadFailed: the request failed.
    """
    if reader.get(virtual_machine_snapshot.RESOURCE, *it.identify(one.item)) is not None:
        raise _exists(one)


def create(writer: Writer, one: Intended) -> Item:
    """Creates the snapshot; the object as the cluster has it.

    Raises:
        NotMade: there is one of that name.
        ReadFailed: the cluster refused it, or does not answer.
    """
    made = requested.create(writer, virtual_machine_snapshot.RESOURCE, one.item)
    if made is None:
        raise _exists(one)
    return made


def _exists(one: Intended) -> NotMade:
    cause = "a snapshot of that name exists, or the response to the request was lost"
    hint = f"stillpoint snapshot show {one.title}; or another --name"
    return NotMade(f"VirtualMachineSnapshot {one.title}", "cannot create it", cause, hint)
