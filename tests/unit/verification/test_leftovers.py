"""Namespaces that killed runs have left, and those that only look like it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from stillpoint.model.item import Item
from stillpoint.verification import leftovers, scratch
from tests.unit.verification.played import BEGAN, Played

CREATED = BEGAN - timedelta(hours=1)


def namespace(name: str = "stillpoint-verify-0123456789", **fields: Any) -> Item:
    annotations = {scratch.LONGEST: "3599s", scratch.BACKUP: "velero/nightly"}
    metadata = {
        "name": name,
        "creationTimestamp": CREATED.isoformat(),
        "labels": {scratch.LABEL: "run-0"},
        "annotations": annotations | {scratch.MACHINE: "shop/db"},
    }
    return {"kind": "Namespace", "metadata": metadata | fields}


def found(item: Item) -> list[leftovers.Leftover]:
    cluster = Played()
    cluster.keep(item)
    return list(leftovers.find(cluster, lambda: BEGAN))


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
        namespace(annotations={scratch.LONGEST: "3600s"}),
        namespace(annotations={scratch.LONGEST: "-1s"}),
        namespace(annotations={scratch.LONGEST: "yesterday"}),
        namespace(annotations={scratch.LONGEST: "9" * 30 + "s"}),
        namespace(annotations={scratch.LONGEST: "999999999s"}),
        namespace(creationTimestamp=BEGAN.isoformat()),
        namespace(deletionTimestamp="2026-11-27T05:00:00Z"),
    ],
)
def test_what_only_looks_like_one(item: Item) -> None:
    assert found(item) == []


@pytest.mark.parametrize(("minutes", "is_left"), [(45, False), (46, True)])
def test_what_a_run_makes_has_all_of_its_time_from_its_creation(
    minutes: int, is_left: bool
) -> None:
    cluster = Played()
    purpose = scratch.Purpose("shop/db", "velero/nightly", timedelta(minutes=45), {})
    scratch.create(cluster, scratch.Scratch.new("run-0", "velero"), purpose)
    moment = BEGAN + timedelta(minutes=minutes)
    assert bool(leftovers.find(cluster, lambda: moment)) is is_left


def test_where_there_is_none_nobody_asks_for_the_time() -> None:
    def time() -> datetime:
        pytest.fail("it was asked")

    assert leftovers.find(Played(), time) == []
