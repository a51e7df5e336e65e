"""A field of the wrong type, anywhere, is said of its object; nothing else is raised."""

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from stillpoint.check import report
from stillpoint.cli.output import check_document
from stillpoint.model.errors import StillpointError
from tests.unit.check import world

IDENTITY = {("apiVersion",), ("kind",), ("metadata",), ("metadata", "name")}
"""Without which a folder, or a cluster, has no such object."""


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else inner:
        yield (*path, key)
        yield from paths(each, (*path, key))


@pytest.mark.parametrize("kind", sorted({one["kind"] for one in world.objects()}))
def test_a_field_of_the_wrong_type_ends_nothing_else(kind: str) -> None:
    base = world.objects()
    for number, item in enumerate(base):
        if item["kind"] != kind:
            continue
        for path in paths(item):
            if path in IDENTITY:
                continue
            for value in (1, "x", [1]):
                of = copy.deepcopy(base)
                within = of[number]
                for key in path[:-1]:
                    within = within[key]
                within[path[-1]] = value
                with suppress(StillpointError):  # of an object without which there is no report
                    check_document.document(report.judge(world.case(of)))


def test_a_machine_of_a_tenant_ends_no_report() -> None:
    of = world.objects()
    world.put("VirtualMachine", "x", "spec", "template")(of)
    found = report.judge(world.case(of))
    assert world.codes(found) == set()
    causes = [cause for one in found.open for cause in one.causes]
    assert any("VirtualMachine shop/db" in cause for cause in causes)
