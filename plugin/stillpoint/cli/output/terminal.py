"""Text for a person: colours where the output is a terminal, errors with their remedy."""

import os
import shutil
import textwrap
import time
from types import TracebackType
from typing import Self, TextIO

from stillpoint.model.errors import StillpointError

WIDTH = 100
"""Columns, however wide the terminal is; less on a narrower one."""

_NARROWEST = 60
_BAR = 24
_WAIT_S = 2.0
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


class Progress:
    """A bar on a terminal, from the second second of a wait on; nothing anywhere else."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._is_shown = output.isatty()
        self._began = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._draw("")

    def told(self, done: int, whole: int, what: str) -> None:
        """Show how far it is: for instance 3 of 20, `pods`."""
        if time.monotonic() - self._began >= _WAIT_S:
            full = _BAR * done // max(whole, 1)
            bar = "#" * full + "." * (_BAR - full)
            self._draw(f"[{bar}] {done}/{whole} {what}"[: _NARROWEST - 1])

    def _draw(self, text: str) -> None:
        if self._is_shown and (text or self._width):
            self._output.write(
                f"\r{text.ljust(self._width)}" if text else f"\r{' ' * self._width}\r"
            )
            self._output.flush()
            self._width = len(text)
