"""Text on its way to Velero: what protobuf can carry, and no longer than a trailer may be.

gRPC's own client ends a call whose trailers have more than 8 KB (C core, Python), and an error is
in them twice, beside a stack. There all but printable ASCII takes three bytes for each of its own.
"""

from collections.abc import Iterable

MOST_BYTES = 2_048
_END_BYTES = 512  # of them: where the hint is
_LEFT_OUT_BYTES = 48  # the words between


def sendable(text: str) -> str:
    """`text` without lone surrogates, which neither JSON nor protobuf can carry."""
    return text.encode("utf-8", "replace").decode()


def shorten(text: str) -> str:
    """The text, or its beginning and end, in at most `MOST_BYTES` of a trailer."""
    text = sendable(text)
    if len(text) <= MOST_BYTES and _beginning(text, MOST_BYTES) == len(text):
        return text
    begin = _beginning(text, MOST_BYTES - _END_BYTES - _LEFT_OUT_BYTES)
    end = len(text) - _beginning(reversed(text), _END_BYTES)
    return f"{text[:begin]} [... {end - begin} letters left out ...] {text[end:]}"


def _beginning(letters: Iterable[str], most_bytes: int) -> int:
    """Number of the first letters that have room."""
    taken = count = 0
    for letter in letters:
        taken += 1 if " " <= letter <= "~" and letter != "%" else 3 * len(letter.encode())
        if taken > most_bytes:
            break
        count += 1
    return count
