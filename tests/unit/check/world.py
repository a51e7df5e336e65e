"""Good installations, changes to them, and a check of the result."""

import copy
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from stillpoint.check import folder, report, sources
from stillpoint.check.areas import locations
from stillpoint.check.case import Case
from stillpoint.check.report import Report
from stillpoint.check.rights import Right
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.sources import manifests
from stillpoint.rehearsal.sources.known import Known
from stillpoint.resources.installation import secret
from stillpoint.velero.volumes import volume_snapshot_class

OPENSHIFT = Path(__file__).with_name("openshift.yaml")
VELERO = Path(__file__).with_name("velero.yaml")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

Change = Callable[[list[Item]], None]

EVERY = {
    str(one)
    for one in (
        *sources.OF_CLUSTER,
        *sources.BY_LABEL,
        *sources.WHERE_VELERO_IS,
        *sources.OF_VELERO,
    )
}


def objects(file: Path = OPENSHIFT) -> list[Item]:
    """Fresh copies, so that a test can change them."""
    return copy.deepcopy(list(_read(file)))


@functools.cache
def _read(file: Path) -> Sequence[Item]:
    return manifests.read(file).objects


def case(of: Sequence[Item], unread: Iterable[str] = (), namespaces: Sequence[str] = ()) -> Case:
    """As a cluster with these objects would give it.

    Args:
        unread: resources that the account may not list.
    """
    known = Known.of_manifests(of, "a test")
    known = replace(known, complete=frozenset(EVERY - set(unread)))
    left = tuple(one for one in of if _name(known, one) not in unread)
    served = replace(known, objects=left)
    named = locations.named_secrets(Case(served, {}, namespaces, NOW))
    there = {
        (it.namespace(one), it.name(one)): one
        for one in of
        if it.group_kind(one) == ("", secret.RESOURCE.kind)
    }
    secrets = {one: there.get(one) for one in named}
    found = {} if "secrets" in unread else secrets
    lacking = folder.lacking(Case(served, {}, namespaces))
    return Case(served, found, namespaces, NOW, lacking)


def _name(known: Known, item: Item) -> str:
    by_kind = {(one.group, one.kind): one.name for one in known.discovery.served}
    return by_kind[it.group_kind(item)]


def judged(*changes: Change, file: Path = OPENSHIFT) -> Report:
    """The report on a good installation with these changes."""
    of = objects(file)
    for change in changes:
        change(of)
    return report.judge(case(of))


def codes(found: Report) -> set[str]:
    return {one.row.code for one in found.findings}


def open_codes(found: Report) -> set[str]:
    return {one.row.code for one in found.open}


def put(kind: str, value: object, *path: str, name: str = "") -> Change:
    """One field of each object of that kind."""

    def change(of: list[Item]) -> None:
        found = [one for one in of if one["kind"] == kind and name in it.name(one)]
        assert found
        for one in found:
            of[of.index(one)] = it.with_value(one, value, *path)

    return change


def off(kind: str, *path: str) -> Change:
    """One field less of each object of that kind."""

    def change(of: list[Item]) -> None:
        found = [one for one in of if one["kind"] == kind]
        assert found
        for one in found:
            of[of.index(one)] = it.without(one, *path)

    return change


def without(kind: str) -> Change:
    def change(of: list[Item]) -> None:
        left = [one for one in of if one["kind"] != kind]
        assert len(left) < len(of)
        of[:] = left

    return change


def copied(kind: str, name: str, *changes: Change) -> Change:
    """Another object like the first of that kind, under another name."""

    def change(of: list[Item]) -> None:
        first = next(one for one in of if one["kind"] == kind)
        other = [it.with_value(copy.deepcopy(first), name, "metadata", "name")]
        for one in changes:
            one(other)
        of += other

    return change


def argument(kind: str, old: str, new: str) -> Change:
    """An argument of the workload in place of another; empty for none."""

    def change(of: list[Item]) -> None:
        (one,) = (one for one in of if one["kind"] == kind)
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert not old or old in container["args"]
        container["args"] = [arg for arg in container["args"] if arg != old] + (
            [new] if new else []
        )

    return change


def lacking(*missing: Right) -> Report:
    """The report on a good installation whose account lacks these rights."""
    good = case(objects())
    found = {one.namespace: missing for one in good.installations}
    return report.judge(Case(good.known, {}, (), NOW, found))


def plugin(name: str, image: str) -> Change:
    """One more init container of Velero."""

    def change(of: list[Item]) -> None:
        (one,) = (one for one in of if one["kind"] == "Deployment")
        one["spec"]["template"]["spec"]["initContainers"].append({"name": name, "image": image})

    return change


def without_plugin(name: str) -> Change:
    def change(of: list[Item]) -> None:
        (one,) = (one for one in of if one["kind"] == "Deployment")
        specification = one["spec"]["template"]["spec"]
        left = [each for each in specification["initContainers"] if name not in each["name"]]
        assert len(left) < len(specification["initContainers"])
        specification["initContainers"] = left

    return change


CHOSEN = volume_snapshot_class.LABEL
