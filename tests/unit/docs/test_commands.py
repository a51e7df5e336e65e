"""Commands that pages and the examples of --help name: each verb and option is one of theirs."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillpoint.cli.parser import parser
from stillpoint_guest.verbs import command_line

ROOT = Path(__file__).parents[3]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {"stillpoint": parser(), "stillpoint-guest": command_line._parser()}

_BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(?:^|[\s($])(?:\.venv/bin/)?(stillpoint(?:-guest)?) ([a-z-][^\n]*)")
_ENDS = {"|", "||", "&&", ">", "2>", "#", "..."}


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Programs with their words, as far as a comment, a pipe or the output goes."""
    blocks = _BLOCK.findall(text)
    inline = _INLINE.findall(_BLOCK.sub("", text))
    for code in (*blocks, *(" ".join(one.split()) for one in inline)):
        for program, rest in _COMMAND.findall(code.replace("\\\n", " ")):
            yield program, words(rest)


def words(text: str) -> list[str]:
    written = re.split(r"\s{3,}|; ", text)[0].rstrip(")")
    try:
        split = shlex.split(written)
    except ValueError:  # an apostrophe of the text behind it
        split = written.split()
    end = next((place for place, word in enumerate(split) if word in _ENDS), len(split))
    return split[:end]


def fault(given: argparse.ArgumentParser, rest: list[str]) -> str:
    """The first word that is no verb and no option; empty if all are."""
    subs = [one for one in given._actions if isinstance(one, argparse._SubParsersAction)]
    for place, word in enumerate(rest):
        if word == "--":
            return ""
        if word.startswith("-") and word != "-":
            name = word.partition("=")[0]
            if name not in given._option_string_actions:
                return name
        elif subs:
            if not re.fullmatch("[a-z-]+", word):
                return ""  # VERB, or several: a|b
            found = subs[0].choices.get(word)
            return fault(found, rest[place + 1 :]) if found else word
    return ""


def helps(given: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """All parsers of a program."""
    yield given
    for one in given._actions:
        if isinstance(one, argparse._SubParsersAction):
            for below in one.choices.values():
                yield from helps(below)


EVERY = list(helps(PROGRAMS["stillpoint"]))


@pytest.mark.parametrize("given", EVERY, ids=lambda one: str(one.prog))
def test_each_example_of_help_is_one(given: argparse.ArgumentParser) -> None:
    assert faults(f"```\n{given.epilog or ''}\n```\n") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_of_a_page_is_one(page: Path) -> None:
    assert faults(page.read_text("utf-8")) == []


def faults(text: str) -> list[tuple[str, str]]:
    """The commands that are none, each with the word that is wrong."""
    found = ((program, rest, fault(PROGRAMS[program], rest)) for program, rest in commands(text))
    return [(f"{program} {' '.join(rest)}", wrong) for program, rest, wrong in found if wrong]


def test_a_command_that_is_none_is_found() -> None:
    assert faults("`stillpoint rehaerse`") == [("stillpoint rehaerse", "rehaerse")]
    text = (
        "```\n$ stillpoint check --form DIR   # all\nstillpoint check -n a | oc apply -f -\n```\n"
    )
    assert faults(text) == [("stillpoint check --form DIR", "--form")]
    assert faults("`stillpoint-guest run --filesystem -- true`")
