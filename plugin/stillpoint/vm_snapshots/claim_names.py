"""The names that KubeVirt gives the claims of a restored machine under PrefixTargetName.

KubeVirt looks for a claim of that name, and makes one of the snapshot only if there is none: an
existing one becomes the machine's disk as it is, and the restore is complete all the same.

Source: pkg/storage/snapshot/restore.go of KubeVirt v1.8 and v1.9 (restoreVolumeName,
reconcileVolumeRestores); openshift/library-go, pkg/build/naming (GetName).
"""

from collections import Counter
from collections.abc import Collection, Sequence

_LONGEST = 63
_HASH = len("-01234567-")


def for_volume(machine: str, volume: str) -> str:
    """`copy-root`; a machine's name too long for that is cut, and its hash added."""
    name = f"{machine}-{volume}"
    if len(name) <= _LONGEST:
        return name
    left = _LONGEST - _HASH - len(volume)
    if left <= 0:
        return f"{machine[: _LONGEST - _HASH + 1]}-{_hash(name)}"
    return f"{machine[:left]}-{_hash(machine)}-{volume}"


def taken(wanted: Sequence[str], existing: Collection[str]) -> Sequence[str]:
    """The names among `wanted` that a claim has, or that are wanted more than once."""
    return [name for name, count in Counter(wanted).items() if count > 1 or name in existing]


def _hash(text: str) -> str:
    """FNV-1a of 32 bits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return f"{value:08x}"
