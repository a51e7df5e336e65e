"""Texts on their way to Velero."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stillpoint.calls.text import MOST_BYTES, shorten

PRINTABLE = "".join(map(chr, range(32, 127))).replace("%", "")
"""What gRPC sends as it is; it sends each byte of all else as three."""


def size(text: str) -> int:
    return len(quote(text, safe=PRINTABLE))


@pytest.mark.parametrize("letter", ["a", "%", "\n", "ä", "漢", "🐘", "\ud800"])
@pytest.mark.parametrize("count", [1, 600, 3_000, 1_000_000])
def test_a_text_keeps_its_beginning_and_its_end(letter: str, count: int) -> None:
    text = f"VirtualMachine shop/db: {letter * count}; HINT: put it right"
    sent = shorten(text)
    assert size(sent) <= MOST_BYTES
    assert sent.startswith("VirtualMachine shop/db: ")
    assert sent.endswith("; HINT: put it right")
    assert ("letters left out" in sent) is (size(text.encode(errors="replace").decode()) > 2_048)


@given(some.text(some.characters(), max_size=20), some.integers(0, 400))
def test_any_text_fits(text: str, times: int) -> None:
    assert size(shorten(text * times)) <= MOST_BYTES


def test_what_is_short_enough_stays_as_it_is() -> None:
    assert shorten("x" * MOST_BYTES) == "x" * MOST_BYTES
    assert shorten("ä" * 300) == "ä" * 300
