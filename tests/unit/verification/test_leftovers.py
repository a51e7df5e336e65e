"""Namespaces that killed runs have left, and those that only look like it."""

from datetime import timedelta
from typing import Any

import pytest

from stillpoint.model.item import Item
from stillpoint.verification import leftovers, scratch
from tests.unit.verification.played import BEGAN, Played

PAST = BEGAN - timedelta(seconds=1)


def namespace(name: str = "stillpoint-verify-0123456789", **fields: Any) -> Item:
    annotations = {scratch.UNTIL: PAST.isoformat(), scratch.BACKUP: "velero/nightly"}
    metadata = {
        "name": name,
        "labels": {scratch.LABEL: "run-0"},
        "annotations": annotations | {scratch.MACHINE: "shop/db"},
    }
    return {"kind": "Namespace", "metadata": metadata | fields}


def found(item: Item) -> list[leftovers.Leftover]:
    cluster = Played()
    cluster.keep(item)
    return list(leftovers.find(cluster, BEGAN))


def test_a_namespace_of_a_killed_run() -> None:
    [one] = found(namespace())
    assert (one.machine, one.scratch.run, one.scratch.velero) == ("shop/db", "run-0", "velero")


@pytest.mark.parametrize(
    "item",
    [
        namespace("shop"),
        namespace(labels={}),
        namespace(labels={scratch.LABEL: ""}),
        namespace(annotations={}),
        namespace(annotations={scratch.UNTIL: BEGAN.isoformat()}),
        namespace(annotations={scratch.UNTIL: "yesterday"}),
        namespace(annotations={scratch.UNTIL: "2026-01-01T00:00:00"}),
        namespace(deletionTimestamp="2026-11-27T05:00:00Z"),
    ],
)
def test_what_only_looks_like_one(item: Item) -> None:
    assert found(item) == []
