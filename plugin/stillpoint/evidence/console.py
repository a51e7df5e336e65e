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
_MOST_LETTERS = 100  # of a name
_MOST_SECONDS = 86_400.0


class State(StrEnum):
    """The moment of a hold that a line is about; of `COPIED`, of a disk."""

    HELD = "held"
    RELEASED = "released"
    OVER = "over"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """A line of the guest's agent.

    Attributes:
        stamped: when the node had read the line; the node's clock.
        id: of the record; empty only if `COPIED` and an earlier version wrote the record.
        boot: the boot in which the line was written.
        verdict: of the record; if `HELD` or `COPIED`, else unknown.
        applications: names of what is at rest; if `HELD`.
        more: further ones, without names; if `HELD`.
        held_s: seconds since the hold began, by a clock that no step changes; if `RELEASED`.
        is_lost: true if not all was at rest up to now; if `RELEASED` or `OVER`.
        by: `thaw`, `watchdog` or `other`; if `RELEASED`.
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
    is_nameless = state is State.COPIED and content["id"] == ""
    record = "" if is_nameless else _word(content["id"])
    facts = _FACTS[state](content)
    return ConsoleLine(stamped, state, record, _word(content["boot"]), **facts)


def _held(content: Mapping[str, Any]) -> Mapping[str, Any]:
    names = content["apps"]
    if not isinstance(names, list):
        raise TypeError("no list")
    shown = tuple(map(_name, names[:_MOST_NAMES]))
    more = _number(content.get("more", 0), int) + len(names) - len(shown)
    return {"verdict": _verdict(content), "applications": shown, "more": int(more)}


def _released(content: Mapping[str, Any]) -> Mapping[str, Any]:
    held_s = float(_number(content["held_s"], int, float))
    return {"held_s": held_s, "by": _word(content["by"]), **_over(content)}


def _over(content: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(content["lost"], bool):
        raise TypeError("neither true nor false")
    return {"is_lost": content["lost"]}


def _copied(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"verdict": _verdict(content)}


_FACTS: Mapping[State, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    State.HELD: _held,
    State.RELEASED: _released,
    State.OVER: _over,
    State.COPIED: _copied,
}


def _word(value: Any) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError("no word")
    return value


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
