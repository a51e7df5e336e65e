"""Tables that fit a width: cells of the columns that may wrap take several lines."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_GAP = 2
_NARROWEST = 12
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
    widths = _widths(columns, [heading, *rows], width)
    found = []
    for row in (heading, *rows):
        wrapped = [
            textwrap.wrap(cell.text, size, break_long_words=False, break_on_hyphens=False) or [""]
            for cell, size in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, wrapped))):
            texts = [cell[number] if number < len(cell) else "" for cell in wrapped]
            found.append(_line(texts, row, widths, paint))
    return found


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
    natural = [max(len(row[number].text) for row in rows) for number in range(len(columns))]
    room = width - _GAP * (len(columns) - 1)
    too_wide = sum(natural) - room
    elastic = [number for number, column in enumerate(columns) if column.wraps]
    if too_wide <= 0 or not elastic:
        return natural
    left = max(sum(natural[number] for number in elastic) - too_wide, 0)
    whole = sum(natural[number] for number in elastic)
    for number in elastic:
        share = left * natural[number] // whole
        natural[number] = max(share, min(natural[number], _NARROWEST))
    return natural
