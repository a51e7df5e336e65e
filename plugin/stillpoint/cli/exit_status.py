"""Exit statuses of the command."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """For scripts: nothing but 0 is a good answer."""

    GOOD = 0
    NOT_SAFE = 1
    WRONG_USAGE = 2
    CANNOT_TELL = 3
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """The meaning in words: `not safe`."""
        return self.name.lower().replace("_", " ")
