"""Exit statuses of the command."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses for scripts: 0 alone is good."""

    GOOD = 0
    NOT_SAFE = 1
    WRONG_USAGE = 2
    CANNOT_TELL = 3
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """The meaning in words: `not safe`."""
        return self.name.lower().replace("_", " ")
