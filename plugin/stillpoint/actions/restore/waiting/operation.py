"""The id of an operation: all that its next process knows, beside the cluster."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from stillpoint.model.errors import MalformedRequest

OWNERS, FILES = "owners", "files"

_FORM = re.compile(
    r"(\w+);([^;/]+)/([^;/]+);([^;/]+)/([^;/]+);([^;]+)(?:;([-\w]*))?(?:;([-.=,\w]+))?"
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The wait for a restored virtual machine.

    As text: `running;shop/db;shop-restored/db;2026-05-04T12:00:00+00:00;SECRET;db-data=copier`.

    Attributes:
        wait: the awaited state, from `conditions.WAITS`; `FILES` where the restore waits for no
            more than those; or `OWNERS` for none: then the machine is only given its objects back.
        stored: namespace and name in the backup, as in the restore's conditions.
        target: namespace and name on the cluster.
        started: when the waiting began, not later than Velero noted the operation.
        secret: of the seal of this restore's waves; empty without waves.
        files: claims whose files come back through a pod, each with the name of that.
    """

    wait: str
    stored: tuple[str, str]
    target: tuple[str, str]
    started: datetime
    secret: str = ""
    files: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        stored, target = "/".join(self.stored), "/".join(self.target)
        started = self.started.astimezone(UTC).isoformat(timespec="seconds")
        files = ",".join(map("=".join, self.files))
        return f"{self.wait};{stored};{target};{started};{self.secret};{files}".rstrip(";")

    @classmethod
    def parse(cls, text: str) -> "Arrival":
        """Parses an id.

        Raises:
            MalformedRequest: the id is not ours.
        """
        parts = _FORM.fullmatch(text)
        try:
            wait, *names, started, secret, files = parts.groups() if parts else ()
            moment = datetime.fromisoformat(started)
        except ValueError as error:
            cause = "it is none of stillpoint's"
            raise MalformedRequest(f"operation {text!r}", "cannot tell its state", cause) from error
        through = [one.partition("=") for one in (files or "").split(",") if one]
        return cls(
            wait,
            (names[0], names[1]),
            (names[2], names[3]),
            moment,
            secret or "",
            tuple((claim, pod) for claim, _, pod in through),
        )
