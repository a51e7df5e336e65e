"""A file that has come in part."""

import tempfile
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from stillpoint.model.errors import StillpointError


def _new_file() -> BinaryIO:
    return cast("BinaryIO", tempfile.TemporaryFile())


@dataclass(slots=True)
class Partial:
    """Bytes that were received so far, in a file without a name that nobody else can open.

    Attributes:
        version: the server's word (`ETag`) for the content that they are of; may be empty.
        received: their number.
    """

    version: str = ""
    received: int = 0
    file: BinaryIO = field(default_factory=_new_file)

    def write(self, received: bytes) -> None:
        """Appends.

        Raises:
            StillpointError: there is no room for it.
        """
        try:
            self.file.write(received)
        except OSError as error:
            subject, attempt = tempfile.gettempdir(), "cannot keep a download there"
            hint = "TMPDIR names another folder"
            raise StillpointError(subject, attempt, error.strerror or str(error), hint) from error
        self.received += len(received)

    def clear(self) -> None:
        """Drops all that was received."""
        self.file.seek(0)
        self.file.truncate()
        self.version, self.received = "", 0
