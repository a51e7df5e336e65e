"""Tables: what is shown, and how wide."""

import io

import pytest

from stillpoint.cli.output import table, terminal
from stillpoint.cli.output.table import Column
from stillpoint.cli.output.terminal import line
from tests.unit.cli.screen import Screen

COLUMNS = (Column("NAME"), Column("PARTS", wraps=True), Column("SIZE"))


def lines(
    width: int,
    *rows: tuple[str, ...],
    columns: tuple[Column, ...] = COLUMNS,
    output: type[io.StringIO] = Screen,
) -> list[str]:
    shows = output()
    console = terminal.console(shows)
    console.width = width
    table.write(console, columns, [[line(one) for one in row] for row in rows])
    return shows.getvalue().splitlines()


@pytest.fixture(autouse=True)
def no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_rare_column_is_there_where_a_row_has_something() -> None:
    columns = (Column("NAME"), Column("NOTE", is_rare=True), Column("SIZE"))
    assert lines(80, ("db", "", "1"), ("x", "", "2"), columns=columns) == [
        "NAME  SIZE",
        "db    1",
        "x     2",
    ]
    assert lines(80, ("db", "", "1"), ("x", "!", "2"), columns=columns) == [
        "NAME  NOTE  SIZE",
        "db          1",
        "x     !     2",
    ]


def test_columns_are_as_wide_as_they_need_and_lines_end_with_their_text() -> None:
    assert lines(80, ("db", "a, b", "1"), ("archive", "a", "10"), ("x", "", "")) == [
        "NAME     PARTS  SIZE",
        "db       a, b   1",
        "archive  a      10",
        "x",
    ]


def test_a_column_that_may_wrap_gives_way_between_words() -> None:
    assert lines(32, ("db", "1 things, 2 things, 3 things, 4 things", "1")) == [
        "NAME  PARTS                 SIZE",
        "db    1 things, 2 things,   1",
        "      3 things, 4 things",
    ]


def test_the_last_column_that_may_wrap_gives_way_first() -> None:
    columns = (Column("A", wraps=True), Column("B", wraps=True))
    assert lines(16, ("one two", "three four"), columns=columns) == [
        "A        B",
        "one two  three",
        "         four",
    ]
    assert lines(10, ("one two", "three four"), columns=columns)[1:] == ["one  three", "two  four"]


def test_no_word_is_cut() -> None:
    assert lines(10, ("a-name-that-is-long", "a-part-too, b", "1"))[1:] == [
        "a-name-that-is-long  a-part-too,  1",
        "                     b",
    ]


def test_a_row_is_one_line_in_a_pipe() -> None:
    parts = ", ".join(["some parts"] * 100)
    assert lines(20, ("db", parts, "1"), output=io.StringIO)[1:] == [f"db    {parts}  1"]


def test_an_extra_column_is_there_where_it_has_room() -> None:
    columns = (Column("A"), Column("B", is_extra=True), Column("C", wraps=True))
    assert lines(15, ("one", "two", "three"), columns=columns)[1:] == ["one  two  three"]
    assert lines(14, ("one", "two", "a three"), columns=columns) == ["A    C", "one  a three"]


def test_an_empty_cell_keeps_its_place() -> None:
    assert lines(80, ("", "", "1"), ("db", "", ""))[1:] == ["             1", "db"]


def test_wide_characters_take_the_columns_that_they_need() -> None:
    assert lines(80, ("日本", "a", "1"), ("db", "é", "2"))[1:] == [
        "日本  a      1",
        "db    é      2",
    ]


@pytest.mark.parametrize("name", ["[red]db[/red]", "[link=https://x]db", ":smile:", "[/]", "$db\\"])
def test_markup_of_rich_is_shown_as_it_is(name: str) -> None:
    assert lines(80, (name, "a", "1"))[1].split() == [name, "a", "1"]
