"""Text for people: width, colours, errors, progress, and names that nobody should trust."""

import io
import time

import pytest
from rich.console import Console
from rich.text import Text

from stillpoint.cli.output import terminal
from stillpoint.model.errors import StillpointError
from tests.unit.cli.screen import Screen


@pytest.fixture(autouse=True)
def any_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("setting", "has_colours"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(
    setting: str, has_colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", setting)
    error = StillpointError("shop/db", "cannot read it", "gone", "look elsewhere")
    screen, pipe = Screen(), io.StringIO()
    terminal.write_error(terminal.console(screen), error)
    terminal.write_error(terminal.console(pipe), error)
    assert ("\x1b[31m" in screen.getvalue()) is has_colours
    assert ("\x1b" in screen.getvalue()) is has_colours
    assert "\x1b" not in pipe.getvalue()


@pytest.mark.parametrize(("columns", "width"), [("300", 100), ("80", 80), ("20", 60)])
def test_text_is_as_wide_as_a_terminal_within_limits(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal.console(Screen()).width == width
    assert terminal.console(io.StringIO()).width == 100, "a pipe has no width"


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_no_variable_makes_a_terminal_of_a_pipe(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("COLUMNS", "80")
    pipe = io.StringIO()
    console = terminal.console(pipe)
    terminal.write_error(console, StillpointError("shop/db", "cannot read it", "gone"))
    long_wait(console, monkeypatch)
    assert console.width == 100
    assert pipe.getvalue() == "stillpoint: shop/db: cannot read it: gone\n"


def test_a_terminal_that_moves_no_cursor_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen()
    long_wait(terminal.console(screen), monkeypatch)
    assert screen.getvalue() == ""


def long_wait(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((0.0, 3.0))
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: next(now, 3.0))
        with terminal.progress(console) as report:
            report(1, 4, "pods")


def test_an_error_without_standard_error_is_not_written_to_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = terminal.console(None)
    terminal.write_error(console, StillpointError("shop/db", "cannot read it", "gone", "wait"))
    assert capsys.readouterr().out == ""


def paragraph(text: str, *arguments: int | str) -> str:
    output = io.StringIO()
    terminal.write_paragraph(terminal.console(output), text, *arguments)  # type: ignore[arg-type]
    return output.getvalue()


def test_a_paragraph_wraps_between_words_within_its_indent() -> None:
    assert paragraph("five " * 20, 4, "> ") == (f">   {' '.join(['five'] * 19)}\n    five\n")


def test_a_long_name_stays_in_one_piece() -> None:
    name = "db" * 60
    assert paragraph(f"oc get pvc {name}", 2) == f"  oc get pvc\n  {name}\n"


def test_wide_characters_count_twice() -> None:
    assert paragraph("四四四四 " * 20).splitlines()[0] == " ".join(["四四四四"] * 11)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mdb\x1b[0m", r"\x1b[31mdb\x1b[0m"),
        ("db\r\n\tok", r"db\r\n\tok"),
        ("db\x07\x08\x7f\x9b", r"db\x07\x08\x7f\x9b"),
        ("bd\u202e\u200b\u2028", r"bd\u202e\u200b\u2028"),
        ("\ud800", r"\ud800"),
        ("[red]db[/red]", "[red]db[/red]"),
        ("[link=https://example.org]db[/link]", "[link=https://example.org]db[/link]"),
        (":smile: 12.5 'text' https://x", ":smile: 12.5 'text' https://x"),
        ("Zürich-日本", "Zürich-日本"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("output", [io.StringIO, Screen])
def test_names_are_shown_as_they_are_and_control_nothing(
    name: str, shown: str, output: type[io.StringIO]
) -> None:
    shows = output()
    console = terminal.console(shows)
    terminal.write_line(console, name)
    terminal.write_paragraph(console, name)
    assert shows.getvalue() == f"{shown}\n{shown}\n"


@pytest.mark.parametrize("screen", [Screen(), io.StringIO()], ids=["terminal", "pipe"])
def test_a_long_wait_shows_a_bar_on_a_terminal_and_leaves_nothing_behind(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with terminal.progress(terminal.console(screen)) as report:
        report(1, 4, "pods")
        assert screen.getvalue() == "", "the first two seconds nobody waits"
        now[0] = 3.0
        report(2, 4, "[red]secrets\x1b")
        assert (r"2/4 [red]secrets\x1b" in shown(screen)) is screen.isatty()
    assert shown(screen).rstrip().endswith("secrets\\x1b") is screen.isatty()
    if screen.isatty():
        assert screen.getvalue().endswith("\x1b[2K")


def shown(screen: io.StringIO) -> str:
    return " ".join(Text.from_ansi(screen.getvalue()).plain.split())
