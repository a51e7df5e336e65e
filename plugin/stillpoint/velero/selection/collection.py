"""The order in which Velero collects resources.

Source: pkg/backup/item_collector.go of Velero v1.18.
"""

from collections.abc import Sequence

from stillpoint.model.api_resources import Served

_FIRST = ("pods", "persistentvolumeclaims", "persistentvolumes")


def order(served: Sequence[Served]) -> Sequence[Served]:
    """Resources in the order of collection: the core group, pods and volumes first, then others."""

    def rank(one: Served) -> int:
        return _FIRST.index(one.plural) if one.plural in _FIRST else len(_FIRST)

    of_core = sorted((one for one in served if not one.group), key=rank)
    return [*of_core, *(one for one in served if one.group)]
