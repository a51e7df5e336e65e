"""The id of an operation: all that its next process knows, beside the cluster."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from stillpoint.model.errors import MalformedRequest

OWNERS = "owners"

_FORM = re.compile(r"(\w+);([^;/]+)/([^;/]+);([^;/]+)/([^;/]+);([^;]+)(?:;([-\w]+))?")


@dataclass(frozen=True, slots=True)
class Arrival:
    """The wait for a restored virtual machine.

    As text: `running;shop/db;shop-restored/db;2026-05-04T12:00:00+00:00;SECRET`.

    Attributes:
        wait: the awaited state, from `conditions.WAITS`, or `OWNERS` for none: then the machine is
            only given its objects back.
        stored: namespace and name in the backup, as in the restore's conditions.
        target: namespace and name on the cluster.
        started: when the waiting began, not later than Velero noted the operation.
        secret: of the seal of this restore's waves; empty without waves.
    """

    wait: str
    stored: tuple[str, str]
    target: tuple[str, str]
    started: datetime
    secret: str = ""

    def __str__(self) -> str:
        stored, target = "/".join(self.stored), "/".join(self.target)
        started = self.started.astimezone(UTC).isoformat(timespec="seconds")
        secret = f";{self.secret}" if self.secret else ""
        return f"{self.wait};{stored};{target};{started}{secret}"

    @classmethod
    def parse(cls, text: str) -> "Arrival":
        """Parses an id.

        Raises:
            MalformedRequest: the id is not ours.
        """
        parts = _FORM.fullmatch(text)
        try:
            wait, *names, started, secret = parts.groups() if parts else ()
            moment = datetime.fromisoformat(started)
        except ValueError as error:
            cause = "it is none of stillpoint's"
            raise MalformedRequest(f"operation {text!r}", "cannot tell its state", cause) from error
        return cls(wait, (names[0], names[1]), (names[2], names[3]), moment, secret or "")
