"""Tables that fit a width: cells of the columns that may wrap take several lines."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_GAP = 2
_UNBROKEN = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; one that `wraps` gives way when the table is too wide."""

    title: str
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its colour, for instance `Cell("crash", "yellow")`."""

    text: str
    colour: str = ""


def unbroken(text: str) -> str:
    """`text` as one word: a cell does not wrap within it."""
    return text.replace(" ", _UNBROKEN)


def lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    width: int,
    paint: Callable[[str, str], str],
) -> Sequence[str]:
    """The table, line by line, a heading first.

    Args:
        width: no line is longer, unless a word alone or a column that does not wrap is.
        paint: gives a text a colour; the text is padded already.
    """
    heading = [Cell(column.title, "bold") for column in columns]
    rows = [heading, *rows]
    widths = _widths(columns, rows, width)
    if sum(widths) + _GAP * (len(columns) - 1) > width:  # rather break parts than lines
        rows = [[Cell(_broken(cell.text), cell.colour) for cell in row] for row in rows]
        widths = _widths(columns, rows, width)
    found = []
    for row in rows:
        wrapped = [
            textwrap.wrap(cell.text, size, break_long_words=False, break_on_hyphens=False) or [""]
            for cell, size in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, wrapped))):
            texts = [cell[number] if number < len(cell) else "" for cell in wrapped]
            found.append(_line(texts, row, widths, paint))
    return found


def _broken(text: str) -> str:
    return text.replace(_UNBROKEN, " ")


def _line(
    texts: Sequence[str],
    row: Sequence[Cell],
    widths: Sequence[int],
    paint: Callable[[str, str], str],
) -> str:
    gap = " " * _GAP
    last = max((number for number, text in enumerate(texts) if text), default=0)
    padded = [
        text if number == last else text.ljust(size)
        for number, (text, size) in enumerate(zip(texts, widths, strict=True))
    ][: last + 1]
    painted = [
        paint(text, cell.colour) if text.strip() else text
        for text, cell in zip(padded, row, strict=False)
    ]
    return gap.join(painted).replace(_UNBROKEN, " ")


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> Sequence[int]:
    natural = [_natural(rows, number) for number in range(len(columns))]
    elastic = [number for number, column in enumerate(columns) if column.wraps]
    whole = sum(natural[number] for number in elastic)
    room = width - _GAP * (len(columns) - 1) - (sum(natural) - whole)
    if whole <= room:
        return natural
    for number in elastic:
        longest = max(len(word) for row in rows for word in row[number].text.split(" "))
        share = max(room, 0) * natural[number] // whole
        natural[number] = max(longest, share)
        room, whole = room - natural[number], whole - _natural(rows, number)
    return natural


def _natural(rows: Sequence[Sequence[Cell]], number: int) -> int:
    return max(len(row[number].text) for row in rows)
