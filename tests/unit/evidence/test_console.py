"""Lines of a container's log, and which of them count."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillpoint.evidence import console
from stillpoint.evidence.console import Answers, ConsoleLine, CopySteps, State
from stillpoint.model.level import Level
from stillpoint_guest.state import console_line
from stillpoint_guest.state.copy_run import CopyRun, Step
from stillpoint_guest.state.freeze_record import FreezeRecord

STAMP = "2026-11-27T01:02:03.400005006Z"
AT = datetime(2026, 11, 27, 1, 2, 3, 400005, UTC)
ID = "5b0c" * 8
BOOT = "61b1b301-0000-4000-8000-000000000000"
HEAD = {"v": 1, "id": ID, "boot": BOOT}
HELD = {**HEAD, "state": "held", "verdict": "application", "apps": ["postgresql:15/main"]}
RELEASED = {**HEAD, "state": "released", "held_s": 4.102, "lost": False, "by": "thaw"}
OVER = {**HEAD, "state": "over", "lost": True}
COPIED = {**HEAD, "state": "copied", "verdict": "filesystem", "held_at": "2026-11-27T01:00:00Z"}
ON_COPY = {
    **HEAD, "state": "on-copy", "outcome": "failed", "machine": "other", "steps": 2,
    "unfinished": 1, "failed": ["10-quiet"],
}  # fmt: skip
ANSWERS = {**HEAD, "state": "answers", "took_s": 4.1, "yes": ["db"], "unasked": ["s"], "no": ["c"]}


def each(
    content: dict[str, object], key: str, *values: object
) -> list[tuple[dict[str, object], str, object]]:
    return [(content, key, value) for value in values]


def log_line(content: object, before: str = "", after: str = "\r") -> bytes:
    text = content if isinstance(content, str) else json.dumps(content)
    return f"{STAMP} {before}@stillpoint {text}{after}".encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (HELD, {"verdict": Level.APPLICATION, "applications": ("postgresql:15/main",)}),
        (RELEASED, {"held_s": 4.102, "by": "thaw"}),
        (OVER, {"is_lost": True}),
        (COPIED, {"verdict": Level.FILESYSTEM}),
        (HELD | {"more": 2, "later": [1]}, {"verdict": Level.APPLICATION, "more": 2}),
        (HELD | {"verdict": "divine"}, {"verdict": Level.UNKNOWN}),
        (ON_COPY, {"steps": CopySteps("failed", "other", 2, ("10-quiet",), 0, 1)}),
        (ON_COPY | {"more": 3}, {"steps": CopySteps("failed", "other", 2, ("10-quiet",), 3, 1)}),
        (ANSWERS, {"answers": Answers(("db",), ("c",), ("s",), 0, 4.1)}),
        (ANSWERS | {"more": 7}, {"answers": Answers(("db",), ("c",), ("s",), 7, 4.1)}),
    ],
)
def test_lines_of_the_agent(content: dict[str, object], expected: dict[str, object]) -> None:
    found = console.parse(log_line(content))
    assert found is not None
    assert (found.stamped, found.id, found.boot) == (AT, ID, BOOT)
    assert found.state == content["state"]
    assert expected.items() <= {name: getattr(found, name) for name in expected}.items()


def test_the_guest_and_this_parser_agree() -> None:
    record = FreezeRecord("held", "application", BOOT, "1.0", id=ID, held_at="2026-11-27T01:02:03Z")
    lines = (
        console_line.held(record, ["mysql:a\x1b[2J", "z" * 200]),
        console_line.released(record, 1.25, is_lost=False, by="thaw"),
        console_line.over(record, is_lost=False),
    )
    held, released, over = said(*lines)
    assert (held.state, released.state, over.state) == (State.HELD, State.RELEASED, State.OVER)
    assert "\x1b" not in "".join(held.applications)
    assert released.held_s == 1.25


@pytest.mark.parametrize("record_id", [ID, ""])
def test_the_guest_and_this_parser_agree_on_a_copy(record_id: str) -> None:
    record = FreezeRecord("held", "application", BOOT, "1.0", id=record_id, held_at="2026-11-27T01")
    run = CopyRun(ID, BOOT, "failed", "other", steps=(Step("10-\x1b", "no"), Step("20")))
    copied, on_copy, answers = said(
        console_line.copied(record),
        console_line.on_copy(run, record),
        console_line.answers(record, ["db@x"], [], ["script"], 1.5),
    )
    assert {one.id for one in (copied, on_copy, answers)} == {record_id}
    assert (copied.state, copied.verdict) == (State.COPIED, Level.APPLICATION)
    assert on_copy.steps == CopySteps("failed", "other", 2, ("10-\\x1b",))
    assert answers.answers == Answers(("db@x",), (), ("script",), 0, 1.5)


def test_all_names_that_a_line_of_the_guest_has_room_for_are_read() -> None:
    record = FreezeRecord("held", "application", BOOT, "1.0", id=ID)
    names = [chr(97 + one // 26) + chr(97 + one % 26) for one in range(300)]
    [line] = said(console_line.answers(record, (), names, (), 300.0))
    assert line.answers
    assert len(line.answers.no) + line.answers.more == len(names)
    assert line.answers.no == tuple(names[: len(line.answers.no)])
    assert len(line.answers.no) > 100


def said(*texts: str) -> Sequence[ConsoleLine]:
    """Lines of the guest, as they come through the log."""
    found = [console.parse(f"{STAMP} {text.strip()}\r".encode()) for text in texts]
    return [one for one in found if one]


@pytest.mark.parametrize("before", ["db login: ", "\x1b[0m[ 12.3] ", "@stillpoint {torn ", "\r"])
def test_a_prompt_may_stand_before_it(before: str) -> None:
    assert console.parse(log_line(OVER, before)) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"no stamp @stillpoint {}",
        f"{STAMP} hello".encode(),
        f"{STAMP}@stillpoint {json.dumps(OVER)}".encode(),
        f"2026-13-27T01:02:03Z @stillpoint {json.dumps(OVER)}".encode(),
        f"2026-11-27T01:02:03 @stillpoint {json.dumps(OVER)}".encode(),
        log_line(json.dumps(OVER)[:-1]),
        log_line(json.dumps(OVER) + " [ 12.3] eth0: link up"),
        log_line(OVER, "", "x" * console.MOST_BYTES),
        log_line(OVER, "x" * console.MOST_BYTES),
        log_line("[" * 2000),
        log_line("[]"),
        log_line("1"),
        log_line("null"),
        log_line('{"v":1,' + json.dumps(OVER)[1:]),
        log_line(json.dumps(OVER)[:-1] + ',"lost":false}'),
        log_line(json.dumps(HELD).replace("main", "ma\x07in")),
        log_line(json.dumps(HELD, ensure_ascii=False).replace("main", "mäin")),
    ],
)
def test_what_is_torn_says_nothing(line: bytes) -> None:
    assert console.parse(line) is None


@pytest.mark.parametrize(
    ("content", "key", "value"),
    [
        *each(OVER, "v", 2, True, "1", 1.0, None),
        *each(OVER, "state", "ended", "", 1, None, ["over"]),
        *each(OVER, "id", "", "a b", "x" * 65, 7, None, "\u001b"),
        *each(OVER, "boot", "", 7, None),
        *each(OVER, "lost", 0, "false", None),
        *each(RELEASED, "held_s", -1, "4", True, None, 1e9, float("nan")),
        *each(RELEASED, "by", "", 1, None),
        (RELEASED, "lost", 0),
        *each(HELD, "apps", "abc", None, [1], [["x"]], {}),
        *each(HELD, "more", -1, "2", True, 1.5),
        *each(HELD, "verdict", 1, "", None),
        (COPIED, "verdict", 3),
        *each(ON_COPY, "outcome", 1, "", None, ["done"]),
        *each(ON_COPY, "machine", "a b", None),
        *each(ON_COPY, "steps", -1, "2", True, None, 1.5),
        *each(ON_COPY, "unfinished", -1, "1", False),
        *each(ON_COPY, "failed", "10-quiet", None, {}, [1]),
        *each(ON_COPY, "more", -1, 1.0),
        *each(ANSWERS, "took_s", -1, "4", None, True, 1e9),
        *each(ANSWERS, "yes", "db", None, {"db": 1}, [1], ["db", None], ["x"] * 257),
        *each(ANSWERS, "no", "c", None, [["c"]]),
        *each(ANSWERS, "unasked", "s", None, 0),
        *each(ANSWERS, "more", -1, "1", True),
    ],
)
def test_a_wrong_type_makes_a_line_say_nothing(
    content: dict[str, object], key: str, value: object
) -> None:
    assert console.parse(log_line(content)) is not None
    assert console.parse(log_line(content | {key: value})) is None
    without = {name: one for name, one in content.items() if name != key}
    if key not in ("more", "unfinished"):
        assert console.parse(log_line(without)) is None


@pytest.mark.parametrize("content", [COPIED, ON_COPY, ANSWERS])
def test_a_copy_of_an_earlier_version_has_no_id(content: dict[str, object]) -> None:
    found = console.parse(log_line(content | {"id": ""}))
    assert found is not None
    assert found.id == ""


def test_names_are_few_and_printable() -> None:
    names = ["a\u001b[2Jb\u202e", "n" * 300, *map(str, range(50))]
    found = console.parse(log_line(HELD | {"apps": names}))
    assert found is not None
    assert found.applications[0] == "a?[2Jb?"
    assert all(len(name) <= 100 for name in found.applications)
    assert len(found.applications) + found.more == len(names)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_a_line_or_none(before: bytes, after: bytes) -> None:
    console.parse(before)
    console.parse(f"{STAMP} ".encode() + before + b"@stillpoint " + after)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(st.sampled_from((HELD, RELEASED, OVER, COPIED, ON_COPY, ANSWERS)), st.data())
def test_any_value_of_a_key_makes_a_line_or_none(
    content: dict[str, object], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(content)))
    found = console.parse(log_line(content | {key: data.draw(json_values)}))
    assert found is None or isinstance(found, ConsoleLine)
