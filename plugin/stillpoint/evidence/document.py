"""The evidence of one disk in one backup, as an annotation of what holds its bytes.

That is its VolumeSnapshot, or its DataUpload where a data mover stored the bytes.

Schema: docs/evidence.schema.json.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from stillpoint.evidence import sealed
from stillpoint.evidence.sealed import Key
from stillpoint.model.item import Item
from stillpoint.model.level import Level

ANNOTATION = "stillpoint.dev/evidence"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of the evidence: a proof, or a proof that is missing.

    Attributes:
        code: stable, for instance `held-by-guest`.
        says: the sentence in words.
        at: the moment that it is about, which the sentence says, too; None if it is about none.
    """

    code: str
    says: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened around the freeze, for the timeline.

    Attributes:
        at: by the clock of `clock`.
        clock: `plugin`, `node`, `server`, `guest` or `driver`.
        what: stable, for instance `snapshot-taken`.
    """

    at: datetime
    clock: str
    what: str
    says: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A machine or a claim, in the namespace that both share.

    Attributes:
        kind: `VirtualMachine`, `VirtualMachineInstance` or `PersistentVolumeClaim`.
    """

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Span:
    """A moment that lies between two others, or a time that lasts from one to the other.

    Attributes:
        start: None if not known.
        end: None if not known.
    """

    start: datetime | None
    end: datetime | None

    @property
    def seconds(self) -> float | None:
        """Its length; None if an end is not known."""
        if self.start is None or self.end is None:
            return None
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of one disk.

    Attributes:
        claim: the disk.
        machine: the machine whose guest writes to it.
        shared_with: names of further machines whose guests do.
        level: what the disk reached; of a shared disk the lowest.
        machine_level: what all disks of the machine reached together.
        required: the level that was demanded; None if none was.
        proofs: how the level is known.
        missing: what could not be known, and why.
        cut: when the snapshot was cut, by the plugin's clock.
        frozen: the time for which the guest stood still, as far as it is known; None if it did not.
        record: the id of the guest's own record on the disk; empty if it made none.
        applications: what was quiesced, by the guest's word.
        events: the timeline of the machine.
        snapshot: uid of the VolumeSnapshot that holds the bytes; empty if a DataUpload does, and in
            documents of version 1.
    """

    claim: Subject
    machine: Subject
    level: Level
    machine_level: Level
    proofs: tuple[Statement, ...]
    missing: tuple[Statement, ...] = ()
    shared_with: tuple[str, ...] = ()
    required: Level | None = None
    cut: Span = Span(None, None)
    frozen: Span | None = None
    record: str = ""
    applications: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    snapshot: str = ""


def to_annotation(evidence: Evidence, key: Key) -> str:
    """The annotation's value, under the backup's seal."""
    return sealed.text(ANNOTATION, _to_document(evidence), key)


def of(item: Item, key: Key) -> Evidence | None:
    """The evidence on a VolumeSnapshot or a DataUpload; None if there is none.

    Raises:
        MalformedItem: the annotation is no evidence of a version that is known, or does not bear
            the seal of this backup.
    """
    return sealed.read(ANNOTATION, item, key, _from_document)


def wants_secret(item: Item) -> bool:
    """True if the annotation says that its seal is made with a secret; anybody can write that."""
    return sealed.wants_secret(ANNOTATION, item)


def _to_document(evidence: Evidence) -> dict[str, Any]:
    document: dict[str, Any] = {
        "claim": _of_subject(evidence.claim),
        "machine": _of_subject(evidence.machine),
        "sharedWith": list(evidence.shared_with),
        "level": evidence.level,
        "machineLevel": evidence.machine_level,
        "required": evidence.required,
        "proofs": list(map(_of_statement, evidence.proofs)),
        "missing": list(map(_of_statement, evidence.missing)),
        "cut": _of_span(evidence.cut),
        "frozen": evidence.frozen and _of_span(evidence.frozen),
        "record": evidence.record,
        "applications": list(evidence.applications),
        "events": list(map(_of_event, evidence.events)),
        "snapshot": evidence.snapshot,
    }
    return {key: value for key, value in document.items() if value not in (None, "", [])}


def _from_document(document: Item) -> Evidence:
    return Evidence(
        claim=Subject(**document["claim"]),
        machine=Subject(**document["machine"]),
        level=Level(document["level"]),
        machine_level=Level(document["machineLevel"]),
        proofs=_each(_statement, document.get("proofs", ())),
        missing=_each(_statement, document.get("missing", ())),
        shared_with=_each(str, document.get("sharedWith", ())),
        required=Level(document["required"]) if "required" in document else None,
        cut=_span(document["cut"]),
        frozen=_span(document["frozen"]) if "frozen" in document else None,
        record=str(document.get("record", "")),
        applications=_each(str, document.get("applications", ())),
        events=_each(_event, document.get("events", ())),
        snapshot=str(document.get("snapshot", "")),
    )


def _each(make: Callable[[Any], Value], values: Sequence[Any]) -> tuple[Value, ...]:
    return tuple(make(value) for value in values)


def _of_subject(subject: Subject) -> Item:
    return {"kind": subject.kind, "name": subject.name, "uid": subject.uid}


def _of_statement(statement: Statement) -> Item:
    at = {"at": _of_time(statement.at)} if statement.at else {}
    return {"code": statement.code, "says": statement.says, **at}


def _statement(document: Item) -> Statement:
    at = _time(document["at"]) if "at" in document else None
    return Statement(str(document["code"]), str(document["says"]), at)


def _of_event(event: Event) -> Item:
    return {
        "at": _of_time(event.at),
        "clock": event.clock,
        "what": event.what,
        "says": event.says,
    }


def _event(document: Item) -> Event:
    words = (str(document[key]) for key in ("clock", "what", "says"))
    return Event(_time(document["at"]), *words)


def _of_span(span: Span) -> Item:
    ends = {"from": span.start, "until": span.end}
    return {key: _of_time(moment) for key, moment in ends.items() if moment}


def _span(document: Item) -> Span:
    start, end = (document.get(key) for key in ("from", "until"))
    return Span(_time(start) if start else None, _time(end) if end else None)


def _of_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
