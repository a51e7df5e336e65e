"""Consoles of rich for standard output and standard error, and what is written to them.

Names, messages and reasons come from objects that anybody may have made. They reach a console
through `line` alone, which takes no markup, and shows control characters as escapes.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.segment import Segment, Segments
from rich.text import Text

from stillpoint.model.errors import StillpointError
from stillpoint.model.names import printable

WIDTH = 100
"""Columns, however wide the terminal is; less on a narrower one."""

_NARROWEST = 60
_WAIT_S = 2.0

Report = Callable[[int, int, str], None]
"""Takes how far a wait is: for instance 3 of 20, `pods`."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves the error to `main`: rich's status 1 means here that a machine is not safe."""
        raise  # noqa: PLE0704 - rich calls this where it has caught the error


def console(output: TextIO | None) -> Console:
    """The console that writes to `output`: colours for terminals, unless NO_COLOR is set.

    Args:
        output: None, as `sys.stderr` is where the process got none, for nothing at all.
    """
    made = _Console(
        file=output,
        quiet=output is None,
        force_terminal=output is not None and output.isatty(),
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        markup=False,
        emoji=False,
        highlight=False,
    )
    made.width = max(_NARROWEST, min(made.width, WIDTH)) if made.is_terminal else WIDTH
    return made


def line(*parts: str | tuple[str, str]) -> Text:
    r"""The `parts` as they are, pairs with their style; `\x1b` and its like as escapes."""
    styled = [(one, "") if isinstance(one, str) else one for one in parts]
    return Text.assemble(*((printable(text), style) for text, style in styled))


def write_line(output: Console, *parts: str | tuple[str, str]) -> None:
    """Writes `parts` as a line, however long."""
    output.print(line(*parts), soft_wrap=True)


def write_paragraph(
    output: Console, text: str, indent: int = 0, first: str | tuple[str, str] = ""
) -> None:
    """Writes `text` wrapped to the width; `first` stands before it, in the indent."""
    whole = line(text)
    width = max(output.width - indent, longest_word(whole))
    for number, wrapped in enumerate(whole.wrap(output, width)):
        start = line("" if number else first)
        start.pad_right(indent - start.cell_len)
        wrapped.rstrip()
        output.print(start.append_text(wrapped), soft_wrap=True)


def longest_word(text: Text) -> int:
    """Columns of the longest word; a name or a command in two parts is no help to anybody."""
    return max(map(cell_len, text.plain.split()), default=0)


def write_lines(output: Console, whole: RenderableType, width: int) -> None:
    """Writes what rich lays out for this width, without blanks at the ends of lines."""
    for laid_out in output.render_lines(whole, output.options.update_width(width), pad=False):
        output.print(Segments(_without_end(laid_out)), soft_wrap=True)


def _without_end(laid_out: list[Segment]) -> Iterator[Segment]:
    while laid_out and not laid_out[-1].text.strip():
        laid_out.pop()
    yield from laid_out[:-1]
    for last in laid_out[-1:]:
        yield Segment(last.text.rstrip(), last.style)
    yield Segment.line()


def write_error(output: Console, error: StillpointError) -> None:
    """Writes an error and its remedy."""
    what = f"{error.subject}: {error.attempt}: {error.cause}"
    write_line(output, ("stillpoint:", "red"), " ", what)
    if error.hint:
        write_line(output, ("HINT:", "bold"), " ", error.hint)


@contextmanager
def progress(output: Console) -> Iterator[Report]:
    """A bar on a terminal, from the second second of a wait on; nothing anywhere else."""
    began = time.monotonic()
    what = TextColumn("{task.description}", markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), what)
    bar = Progress(
        *columns,
        console=output,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not (output.is_terminal and output.is_interactive),
    )
    task = bar.add_task("")

    def report(done: int, whole: int, resource: str) -> None:
        if time.monotonic() - began >= _WAIT_S:
            bar.start()
            description = line(resource).plain
            bar.update(task, completed=done, total=whole, description=description, refresh=True)

    try:
        yield report
    finally:
        bar.stop()
