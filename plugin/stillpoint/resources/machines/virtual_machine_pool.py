"""VirtualMachinePool: makes virtual machines by a template (pool.kubevirt.io).

A pool never adopts a machine, and only lets go of machines that its selector does not match: a
restore of both has to set owners before the pool counts its machines. So a restored pool is paused,
with a mark of the machines that it takes back:

    stillpoint.dev/takes-back      annotation: names of machines
    stillpoint.dev/stays-paused    annotation: the pool was paused before, and stays so

A pool compares its machines with its revisions, `POOL-GENERATION`. A restored pool counts its
generations from 1, so that a revision under its old name would be taken for another.

Source: KubeVirt v1.9, pkg/virt-controller/watch/pool/pool.go.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources.machines import virtual_machine

RESOURCE = Resource("pool.kubevirt.io", "v1beta1", "virtualmachinepools", "VirtualMachinePool")

FINALIZER = "pool.kubevirt.io/finalizer"
"""Finalizer of the pool and each of its machines: only the pool's controller takes it off."""

TAKES_BACK = "stillpoint.dev/takes-back"
STAYS_PAUSED = "stillpoint.dev/stays-paused"

_REVISION = "kubevirt.io/vm-pool-revision-name"
_TEMPLATE = ("spec", "virtualMachineTemplate", "spec")


def references(pool: Item) -> Iterator[Reference]:
    """The objects of its namespace that the template of its machines needs."""
    it.require_mapping(pool, *_TEMPLATE)
    yield from virtual_machine.references(_as_machine(pool))


def template_revisions(pool: Item) -> Iterator[str]:
    """Names of the revisions of instancetype and preference that the template pins."""
    yield from virtual_machine.revisions(_as_machine(pool))


def of_machine(machine: Item) -> Iterable[str]:
    """The name of the pool that made a machine, if any."""
    name = it.owner(machine, RESOURCE.kind)
    return (name,) if name else ()


def resource_of(pool_or_machine: Item) -> Resource:
    """The resource in the version of a stored pool, or of the pool that owns a machine."""
    group = f"{RESOURCE.group}/"
    versions = (
        it.text(one, "apiVersion") for one in (pool_or_machine, *it.owners(pool_or_machine))
    )
    known = (one.removeprefix(group) for one in versions if one.startswith(group))
    return RESOURCE._replace(version=next(known, RESOURCE.version))


def replicas(pool: Item) -> int:
    """The desired number of machines; 1 by default."""
    count = it.mapping(pool, "spec").get("replicas")
    return count if isinstance(count, int) else 1


def is_paused(pool: Item) -> bool:
    """True if the pool neither makes nor deletes machines."""
    return it.flag(pool, "spec", "paused")


def with_template(pool: Item, changed: Callable[[Item], Item]) -> Item:
    """The pool with the template of its machines changed as a machine is."""
    it.require_mapping(pool, *_TEMPLATE)
    return it.with_value(pool, changed(_as_machine(pool))["spec"], *_TEMPLATE)


def as_pending(pool: Item, machines: Iterable[str]) -> Item:
    """The pool ready for creation: paused, with a mark of the machines that it takes back."""
    if is_paused(pool):
        pool = it.with_annotation(pool, STAYS_PAUSED, "true")
    pool = it.with_annotation(pool, TAKES_BACK, ",".join(machines))
    return it.with_value(pool, True, "spec", "paused")


def without_marks(pool: Item) -> Item:
    """A stored pool without the marks of a former restore, resumed unless paused before."""
    marks = it.annotations(pool)
    if TAKES_BACK in marks and STAYS_PAUSED not in marks:
        pool = it.without(pool, "spec", "paused")
    for note in (TAKES_BACK, STAYS_PAUSED):
        pool = it.without(pool, "metadata", "annotations", note)
    return pool


def is_pending(pool: Item) -> bool:
    """True if a restore has paused the pool, and is to resume it."""
    return TAKES_BACK in it.annotations(pool)


def takes_back(pool: Item) -> Sequence[str]:
    """Names of the machines that the pool takes back."""
    noted = it.text(pool, "metadata", "annotations", TAKES_BACK)
    return [name for name in noted.split(",") if name]


def release(pool: Item) -> Item:
    """The change that lets the pool go to work: a merge patch, which fails after another change."""
    annotations = {TAKES_BACK: None, STAYS_PAUSED: None}
    version = it.text(pool, "metadata", "resourceVersion")
    change: Item = {"metadata": {"resourceVersion": version, "annotations": annotations}}
    if STAYS_PAUSED not in it.annotations(pool):
        change["spec"] = {"paused": False}
    return change


def revision(machine: Item) -> str:
    """Name of the pool's revision that the machine was made by; may be empty."""
    return it.text(machine, "metadata", "labels", _REVISION)


def with_restored_revision(machine: Item, pool: str) -> Item:
    """The machine, with the name that its revision comes back under."""
    for path in (("metadata", "labels"), ("spec", "template", "metadata", "labels")):
        if name := it.text(machine, *path, _REVISION):
            machine = it.with_value(machine, restored_revision(name, pool), *path, _REVISION)
    return machine


def restored_revision(name: str, pool: str) -> str:
    """The name that a revision comes back under, which the pool never gives another.

    Example: `web-3` of the pool `web` becomes `web-3-restored`, and stays that.
    """
    return f"{name}-restored" if re.fullmatch(rf"{re.escape(pool)}-\d+", name) else name


def of_revision(revision: Item) -> str:
    """Name of the pool of a ControllerRevision; empty for any other revision."""
    return it.owner(revision, RESOURCE.kind)


def with_changed_revision(revision: Item, changed: Callable[[Item], Item]) -> Item:
    """The revision with its template changed as that of the pool itself."""
    if not it.mapping(revision, "data", "virtualMachineTemplate", "spec"):
        return revision
    pool = {"metadata": revision["metadata"], "spec": revision["data"]}
    return it.with_value(revision, with_template(pool, changed)["spec"], "data")


def _as_machine(pool: Item) -> Item:
    """The template as a machine under the pool's name."""
    metadata = {"namespace": it.namespace(pool), "name": it.name(pool)}
    return {"kind": RESOURCE.kind, "metadata": metadata, "spec": it.mapping(pool, *_TEMPLATE)}
