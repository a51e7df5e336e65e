"""The versions that fit together, each line with its source; a version in no line is not known.

Change it together with its sources: nothing else here knows a version.
"""

import re
from typing import NamedTuple

Minor = tuple[int, int]
"""`(1, 16)`: patches make no difference here."""

_PATCH = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_VERSION = re.compile(r"v?(\d+)\.(\d+)")

LEAST_VELERO: Minor = (1, 15)
"""Older ones refuse to start with a plugin of item-block actions (tests/wire, Velero v1.14)."""

NEWEST_TESTED_VELERO: Minor = (1, 18)
"""tests/cluster and tests/wire (v1.18.3)."""

EARLY_POLLING_SINCE: Minor = (1, 18)
"""Velero that looks for snapshots each second at first, if set to (pkg/util/csi)."""

LEAST_KUBEVIRT: Minor = (1, 5)
"""The oldest one whose time-outs docs/freeze.md knows."""

NEWEST_TESTED_KUBEVIRT: Minor = (1, 9)
"""Objects of the tests are as KubeVirt 1.9 writes them."""


class Oadp(NamedTuple):
    """A line of OADP's own table.

    Attributes:
        openshift: the oldest and the newest version; the newest is None where the table names no
            end, all of it where the table does not have that OADP yet.
    """

    velero: Minor
    openshift: tuple[Minor, Minor | None] | None


OADP: dict[Minor, Oadp] = {
    # "OADP-Velero-OpenShift version relationship" of the chapter on installing OADP; go.mod of each
    # branch of oadp-operator
    (1, 3): Oadp((1, 12), ((4, 12), (4, 15))),
    (1, 4): Oadp((1, 14), ((4, 14), (4, 18))),
    (1, 5): Oadp((1, 16), ((4, 19), None)),
    # the same chapter for OKD 5.0: "installs Velero 1.18", without a line in its table
    (1, 6): Oadp((1, 18), None),
}


PROVIDER_PLUGINS: dict[Minor, Minor] = {
    (1, 14): (1, 10),
    (1, 15): (1, 11),
    (1, 16): (1, 12),
    (1, 17): (1, 13),
    (1, 18): (1, 14),
}
"""By Velero, the version of the provider's plugin: "Compatibility" in the README of
velero-plugin-for-aws, velero-plugin-for-gcp and velero-plugin-for-microsoft-azure."""

LEAST_SNAPSHOTTER: Minor = (4, 0)
"""The first external-snapshotter with v1 of the snapshot API (its CHANGELOG-4.0), which Velero and
the plugin speak."""

NEWEST_TESTED_SNAPSHOTTER: Minor = (8, 6)
"""tests/cluster."""

VIRTUALIZATION_ON_SAME_MINOR_SINCE = 4
"""OpenShift Virtualization 4.Y is for OpenShift 4.Y alone: "About OpenShift Virtualization",
supported cluster versions. HyperConverged upstream has versions 1.Y, and no such rule."""

_FREEZE_ANSWER_S = (
    ((1, 8, 0), 60),
    ((1, 7, 2), 60),
    ((1, 7, 0), 20),
    ((1, 6, 4), 60),
    ((1, 6, 0), 20),
    ((1, 5, 0), 5),
)
"""Seconds in which a freeze has to return, from which KubeVirt on (docs/freeze.md)."""


def freeze_answer_s(version: str) -> int | None:
    """Seconds that a KubeVirt waits for a freeze; None if nothing is known of the version."""
    found = _PATCH.match(version)
    if not found:
        return None
    numbers = (int(found[1]), int(found[2]), int(found[3]))
    return next((seconds for since, seconds in _FREEZE_ANSWER_S if numbers >= since), None)


def parse(text: str) -> Minor | None:
    """`v1.16.2` as `(1, 16)`; None for what is no version."""
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else None


def words(version: Minor) -> str:
    """`1.16`."""
    return f"{version[0]}.{version[1]}"
