"""Text of others on its way out: to a terminal, QEMU's agent, the journal, the record."""

_CUT = "..."


def printable(text: str, most_bytes: int) -> str:
    r"""A line that moves no cursor and ends no encoder, of at most so many bytes of UTF-8.

    Unprintable letters (a control character, an escape, a line's end, a change of the direction of
    writing) are written as `\x1b` or `\u202e`, the byte that a surrogate stands for as `\xff`. A
    text that is too long ends in `...`; a letter or an escape is whole or not there.

    Args:
        text: anything.
        most_bytes: at least 3.
    """
    shown = [_escape(letter) for letter in text[: most_bytes + 1]]  # each has a byte at least
    size = sum(map(_bytes, shown))
    if size <= most_bytes:
        return "".join(shown)
    while size > most_bytes - len(_CUT):
        size -= _bytes(shown.pop())
    return "".join(shown) + _CUT


def _escape(letter: str) -> str:
    if letter.isprintable():
        return letter
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # a byte, as `surrogateescape` reads one that is no letter
        number -= 0xDC00
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _bytes(shown: str) -> int:
    return len(shown.encode())
