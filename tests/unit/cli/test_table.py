"""Tables: what is shown, and how wide."""

from stillpoint.cli.output import table
from stillpoint.cli.output.table import Cell, Column

COLUMNS = (Column("NAME"), Column("PARTS", wraps=True), Column("SIZE"))


def plain(text: str, _colour: str) -> str:
    return text


def tagged(text: str, colour: str) -> str:
    return f"<{colour}>{text}</>" if colour else text


def cells(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))


def test_columns_are_as_wide_as_they_need() -> None:
    rows = [cells("db", "a, b", "1"), cells("archive", "a", "10")]
    assert table.lines(COLUMNS, rows, 80, plain) == [
        "NAME     PARTS  SIZE",
        "db       a, b   1",
        "archive  a      10",
    ]


def test_a_column_that_may_wrap_gives_way() -> None:
    parts = ", ".join(table.unbroken(f"{number} things") for number in range(1, 5))
    lines = table.lines(COLUMNS, [cells("db", parts, "1")], 32, plain)
    assert lines == [
        "NAME  PARTS                 SIZE",
        "db    1 things, 2 things,   1",
        "      3 things, 4 things",
    ]


def test_a_colour_takes_no_room() -> None:
    rows = [(Cell("db", "red"), Cell("a"), Cell("1")), cells("archive", "a", "10")]
    assert table.lines(COLUMNS, rows, 80, tagged)[1:] == [
        "<red>db     </>  a      1",
        "archive  a      10",
    ]


def test_an_empty_cell_keeps_its_place() -> None:
    rows = [cells("", "", "1"), cells("db", "", "")]
    assert table.lines(COLUMNS, rows, 80, plain)[1:] == ["             1", "db"]


def test_parts_break_before_lines_do() -> None:
    parts = ", ".join(table.unbroken(f"{number} things") for number in range(1, 4))
    lines = table.lines(COLUMNS, [cells("db", parts, "1")], 20, plain)
    assert lines == [
        "NAME  PARTS     SIZE",
        "db    1         1",
        "      things,",
        "      2",
        "      things,",
        "      3 things",
    ]
    assert max(map(len, lines)) <= 20
