"""Names as the Kubernetes API takes them (RFC 1123), and as people may see them."""

import re
from collections.abc import Iterable

LONGEST_NAME = 253
"""Of most objects, claims and DataVolumes among them."""

LONGEST_NAMESPACE = 63

LONGEST_LABEL_VALUE = 63

LONGEST_MACHINE_NAME = 63
"""Of a virtual machine: KubeVirt puts it into labels."""

_MOST_LISTED = 12

_PART = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_PART}(\.{_PART})*")


def is_name(text: str) -> bool:
    """True if an object can have this name."""
    return len(text) <= LONGEST_NAME and bool(_NAME.fullmatch(text))


def listing(names: Iterable[str], between: str = ", ") -> str:
    """The first dozen names, and the number of the others."""
    all_names = list(names)
    more = len(all_names) - _MOST_LISTED
    return between.join(all_names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """`1 disk`, `3 disks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: str) -> str:
    r"""The text with control characters and their like as escapes: `\x1b`."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
