"""The identity of the machine that a guest runs on, as its firmware says it.

KubeVirt gives a machine one UUID for good (`firmware.uuid`), and a restore keeps it or not: so the
same UUID does not prove the original, but another UUID proves another machine.
"""

import re

SAME = "same"
OTHER = "other"
UNKNOWN = "unknown"
_UUID = "/sys/class/dmi/id/product_uuid"
_NOT_SET = re.compile(r"[-0]*|[-f]*")  # as QEMU and some firmware have it
_MOST_LETTERS = 100


def identity(path: str = _UUID) -> str:
    """The UUID of the firmware, in small letters; "" if none is set or known."""
    try:
        with open(path, encoding="ascii") as file:
            found = file.readline(_MOST_LETTERS).strip().lower()
    except (OSError, ValueError):
        return ""
    return "" if _NOT_SET.fullmatch(found) else found


def compared(frozen: str, here: str) -> str:
    """The machine that was frozen against this one: `SAME`, `OTHER`, or `UNKNOWN` without both."""
    if not frozen or not here:
        return UNKNOWN
    return SAME if frozen == here else OTHER
