"""Text for a person: colours where the output is a terminal, errors with their remedy."""

import os
import shutil
import textwrap
from typing import TextIO

from plugin.model.errors import StillpointError

WIDTH = 100
"""Columns, however wide the terminal is; less on a narrower one."""

_NARROWEST = 60
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


class Terminal:
    """Where text goes to."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._has_colours = output.isatty() and not os.environ.get("NO_COLOR")
        columns = shutil.get_terminal_size((WIDTH, 24)).columns if output.isatty() else WIDTH
        self.width = max(_NARROWEST, min(columns, WIDTH))

    def write(self, text: str) -> None:
        """Write as it is."""
        self._output.write(text)

    def paint(self, text: str, colour: str) -> str:
        """`text` in a colour, where there are any; an empty name leaves it as it is."""
        if not colour or not self._has_colours:
            return text
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"

    def paragraph(self, text: str, indent: int = 0, first: str = "") -> None:
        """Write `text` wrapped to the width; `first` stands before it, in the indent."""
        lines = textwrap.wrap(
            text, self.width - indent, break_long_words=False, break_on_hyphens=False
        )
        for number, line in enumerate(lines):
            start = first if not number else ""
            self.write(f"{start}{' ' * (indent - len(start))}{line}\n")

    def error(self, error: StillpointError) -> None:
        """Write an error, what the plugin said before it, and the remedy."""
        what = f"{error.subject}: {error.attempt}: {error.cause}"
        self.write(f"{self.paint('stillpoint:', 'red')} {what}\n")
        for line in getattr(error, "log", ()):
            self.write(f"  | {line.level:<5} {line.message}\n" if line.message else "")
        if error.hint:
            self.write(f"{self.paint('HINT:', 'bold')} {error.hint}\n")
