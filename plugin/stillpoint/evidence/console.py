"""Lines that a guest's own agent writes to the serial console, read from the log of a container.

Whoever can write to that console could have written them: docs/guest/console.md says who that is.
So a line counts as a whole or not at all.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from stillpoint.model.level import Level

MOST_BYTES = 4096
"""Of a line of the log; a longer one says nothing. The agent's own have 1,024 at most."""

_MARKER = b"@stillpoint "
_VERSION = 1
_STAMPED = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (.*)", re.DOTALL
)
_WORD = re.compile(r"[0-9A-Za-z.:?-]{1,64}")
_MOST_NAMES = 16
_MOST_ANSWERS = 256  # names of a list; a line of the agent has no room for more
_MOST_LETTERS = 100  # of a name
_MOST_SECONDS = 86_400.0


class State(StrEnum):
    """The moment that a line is about: of a hold, or of the first boot of a copy (`OF_COPY`)."""

    HELD = "held"
    RELEASED = "released"
    OVER = "over"
    COPIED = "copied"
    ON_COPY = "on-copy"
    ANSWERS = "answers"


OF_COPY = frozenset({State.COPIED, State.ON_COPY, State.ANSWERS})
"""Of the first boot of a copy; the `id` of such a line is that of the record on its disk."""


@dataclass(frozen=True, slots=True)
class CopySteps:
    """The run of root's on-copy steps.

    Attributes:
        outcome: `done`, `failed` or `left-out`; another word of a later version.
        machine: `same`, `other` or `unknown`, compared with the machine of the freeze.
        count: of the steps that were run.
        failed: names of those that failed.
        more: further ones, without names.
        unfinished: runs before this one that did not come to their end.
    """

    outcome: str
    machine: str
    count: int
    failed: tuple[str, ...] = ()
    more: int = 0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """Which applications of a copy, of those that were at rest, answer again.

    Attributes:
        yes: names of those that do.
        no: names of those that do not.
        unasked: names of those that nobody can ask.
        more: further ones, without names: of `yes`; once none of these is left, of `unasked`.
        took_s: seconds until that was known.
    """

    yes: tuple[str, ...]
    no: tuple[str, ...]
    unasked: tuple[str, ...]
    more: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """A line of the guest's agent.

    Attributes:
        stamped: when the node had read the line; the node's clock.
        id: of the record; empty only in `OF_COPY`, if an earlier version wrote the record.
        boot: the boot in which the line was written.
        verdict: of the record; if `HELD` or `COPIED`, else unknown.
        applications: names of what is at rest; if `HELD`.
        more: further ones, without names; if `HELD`.
        held_s: seconds since the hold began, by a clock that no step changes; if `RELEASED`.
        is_lost: true if not all was at rest up to now; if `RELEASED` or `OVER`.
        by: `thaw`, `watchdog` or `other`; if `RELEASED`.
        steps: if `ON_COPY`.
        answers: if `ANSWERS`.
    """

    stamped: datetime
    state: State
    id: str
    boot: str
    verdict: Level = Level.UNKNOWN
    applications: tuple[str, ...] = ()
    more: int = 0
    held_s: float = 0.0
    is_lost: bool = False
    by: str = ""
    steps: CopySteps | None = None
    answers: Answers | None = None


def parse(line: bytes) -> ConsoleLine | None:
    """The statement in a line of a container's log, `2026-11-27T01:02:03.4Z TEXT`.

    None if there is none, or none that counts: torn, of another version, or not as the guest's
    agent writes them.
    """
    stamp = _STAMPED.fullmatch(line) if len(line) <= MOST_BYTES else None
    if not stamp:
        return None
    _, marker, text = stamp[2].rpartition(_MARKER)
    try:
        stamped = datetime.fromisoformat(stamp[1].decode())
        return _statement(stamped, _content(text)) if marker else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _content(text: bytes) -> Mapping[str, Any]:
    """The JSON object behind the marker, in which no key may be twice."""
    content = json.loads(text.decode("ascii"), object_pairs_hook=_without_doubles)
    if not isinstance(content, dict):
        raise TypeError("no object")
    return content


def _without_doubles(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is there twice")
    return content


def _statement(stamped: datetime, content: Mapping[str, Any]) -> ConsoleLine:
    if type(content["v"]) is not int or content["v"] != _VERSION:
        raise ValueError("another version")
    state = State(content["state"])
    is_nameless = state in OF_COPY and content["id"] == ""
    record = "" if is_nameless else _word(content["id"])
    facts = _FACTS[state](content)
    return ConsoleLine(stamped, state, record, _word(content["boot"]), **facts)


def _held(content: Mapping[str, Any]) -> Mapping[str, Any]:
    names = _list(content["apps"])
    shown = tuple(map(_name, names[:_MOST_NAMES]))
    more = _count(content.get("more", 0)) + len(names) - len(shown)
    return {"verdict": _verdict(content), "applications": shown, "more": more}


def _released(content: Mapping[str, Any]) -> Mapping[str, Any]:
    held_s = float(_number(content["held_s"], int, float))
    return {"held_s": held_s, "by": _word(content["by"]), **_over(content)}


def _over(content: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(content["lost"], bool):
        raise TypeError("neither true nor false")
    return {"is_lost": content["lost"]}


def _copied(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"verdict": _verdict(content)}


def _on_copy(content: Mapping[str, Any]) -> Mapping[str, Any]:
    names = _list(content["failed"])
    shown = tuple(map(_name, names[:_MOST_NAMES]))
    steps = CopySteps(
        outcome=_word(content["outcome"]),
        machine=_word(content["machine"]),
        count=_count(content["steps"]),
        failed=shown,
        more=_count(content.get("more", 0)) + len(names) - len(shown),
        unfinished=_count(content.get("unfinished", 0)),
    )
    return {"steps": steps}


def _answers(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every name is kept: one of `no` that were left out would be taken for one of `yes`."""
    yes, no, unasked = (_list(content[key]) for key in ("yes", "no", "unasked"))
    if max(map(len, (yes, no, unasked))) > _MOST_ANSWERS:
        raise ValueError("more names than a line of the agent has room for")
    answers = Answers(
        yes=tuple(map(_name, yes)),
        no=tuple(map(_name, no)),
        unasked=tuple(map(_name, unasked)),
        more=_count(content.get("more", 0)),
        took_s=float(_number(content["took_s"], int, float)),
    )
    return {"answers": answers}


_FACTS: Mapping[State, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    State.HELD: _held,
    State.RELEASED: _released,
    State.OVER: _over,
    State.COPIED: _copied,
    State.ON_COPY: _on_copy,
    State.ANSWERS: _answers,
}


def _word(value: Any) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError("no word")
    return value


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _count(value: Any) -> int:
    return int(_number(value, int))


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    shown = value if len(value) <= _MOST_LETTERS else f"{value[: _MOST_LETTERS - 1]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def _number(value: Any, *kinds: type) -> float:
    if type(value) not in kinds or not 0 <= value <= _MOST_SECONDS:
        raise ValueError("no such number")
    return float(value)


def _verdict(content: Mapping[str, Any]) -> Level:
    """The level that a record says; one that no record has is unknown."""
    word = _word(content["verdict"])
    return Level(word) if word in (Level.APPLICATION, Level.FILESYSTEM) else Level.UNKNOWN
