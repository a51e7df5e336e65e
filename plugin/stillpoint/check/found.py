"""Results of facts: something that one found, or something that is not known."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NotKnown:
    """A question that what was read leaves open: it is never taken for a good sign.

    Attributes:
        cause: `deployments.apps were not read`.
    """

    cause: str


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a finding is about.

    Attributes:
        about: `location openshift-adp/default: Unavailable`.
        fields: for the remedy of the row, each safe for a shell.
        remedy: in place of the row's.
    """

    about: str
    fields: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""

    @classmethod
    def of(cls, about: str, **fields: str) -> "Found":
        """Names and values come from objects that anybody may have made."""
        return cls(about, {name: shlex.quote(value) for name, value in fields.items()})
