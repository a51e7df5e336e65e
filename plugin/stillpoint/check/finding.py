"""Records of findings: a row for each that there can be, and what was found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from string import Formatter

from stillpoint.check.case import Case
from stillpoint.check.found import Found, NotKnown
from stillpoint.model.weight import Weight

Fact = Callable[[Case], Iterator[Found | NotKnown]]


@dataclass(frozen=True, slots=True)
class Row:
    """A finding that there can be. Codes are for ever: scripts and monitoring go by them.

    Attributes:
        sentence: the finding in words; what it is about is written below it.
        cause: why that matters.
        by_hand: a command that shows it.
        remedy: a command, or a sentence; `{namespace}` and other fields of what was found.
        fact: a function that yields what it is about.
    """

    code: str
    weight: Weight
    sentence: str
    cause: str = field(kw_only=True)
    by_hand: str = field(kw_only=True)
    remedy: str = field(kw_only=True)
    fact: Fact = field(kw_only=True)

    @property
    def general_remedy(self) -> str:
        """The remedy with fields in capitals: `oc get dpa -n NAMESPACE`."""
        return "".join(
            text + (name.upper() if name else "")
            for text, name, _, _ in Formatter().parse(self.remedy)
        )

    def remedy_for(self, found: Found) -> str:
        """The remedy to paste."""
        return found.remedy or self.remedy.format_map(found.fields)


@dataclass(frozen=True, slots=True)
class Area:
    """A part of an installation, with the findings that concern it."""

    name: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """An object, or a setting, that a finding is about, with its remedy."""

    about: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that holds."""

    area: Area
    row: Row
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """A row that could not be judged, or not for everything.

    Attributes:
        causes: what is not known.
    """

    area: Area
    row: Row
    causes: tuple[str, ...]
