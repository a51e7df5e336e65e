"""Tables without borders: the same for a person, in a pipe and for `grep`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stillpoint.cli.output.terminal import longest_word, write_lines

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        wraps: gives way, between words, when the table is too wide.
        is_extra: left out when the table is too wide.
        is_rare: left out when no row has anything there.
    """

    title: str
    wraps: bool = False
    is_extra: bool = False
    is_rare: bool = False


def write(output: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    """Writes the table, a heading first. A pipe has no width: there each row is one line.

    On a terminal, too, no word is cut; so a line may be longer than the width.
    """
    found = list(zip(columns, zip(*rows, strict=True), strict=True))
    found = [(column, of) for column, of in found if not column.is_rare or any(map(len, of))]
    columns = [column for column, _of in found]
    cells = [[Text(column.title, "bold"), *of_column] for column, of_column in found]
    room = output.width if output.is_terminal else sys.maxsize
    if _width(_natural(cells)) > room:
        shown = [number for number, column in enumerate(columns) if not column.is_extra]
        columns, cells = [columns[number] for number in shown], [cells[number] for number in shown]
    widths = _widths(columns, cells, room)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    for width in widths:
        table.add_column(width=width)
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    write_lines(output, table, _width(widths) + _GAP)


def _natural(cells: Sequence[Sequence[Text]]) -> list[int]:
    return [max(cell.cell_len for cell in of_column) for of_column in cells]


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Text]], room: int) -> list[int]:
    """Natural widths; where these are too wide, wrapping columns give way, the last first.

    rich's own choice cuts words (rich 15.0, `Table._collapse_widths`).
    """
    widths = _natural(cells)
    excess = _width(widths) - room
    for number in reversed(range(len(columns))):
        if columns[number].wraps and excess > 0:
            given = min(excess, widths[number] - max(map(longest_word, cells[number])))
            widths[number] -= given
            excess -= given
    return widths
