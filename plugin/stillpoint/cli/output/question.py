"""The question before a change, which is put to terminals alone."""

import sys


def is_agreed(text: str) -> bool:
    """True if somebody says yes; also where nobody can be asked, as in a script."""
    if not is_possible():
        return True
    sys.stderr.write(f"{text} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def is_possible() -> bool:
    """True if somebody can be asked."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())
