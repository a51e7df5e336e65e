"""VirtualMachinePool: makes virtual machines by a template (pool.kubevirt.io).

A pool never adopts a machine, it only lets go of those that its selector does not match: whoever
brings both back has to say which machines are whose, before the pool counts them. So a restored
pool is paused, with a note of the machines that it is to take back:

    stillpoint.dev/takes-back      annotation: names of machines
    stillpoint.dev/stays-paused    annotation: somebody else had paused it, and it stays so

What a pool compares its machines with are its revisions, `POOL-GENERATION`. A restored pool counts
its generations anew, so that a revision under its old name would be taken for another.

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
"""On the pool and on each of its machines: the pool's controller takes it off, and nobody else."""

TAKES_BACK = "stillpoint.dev/takes-back"
STAYS_PAUSED = "stillpoint.dev/stays-paused"

_REVISION = "kubevirt.io/vm-pool-revision-name"
_TEMPLATE = ("spec", "virtualMachineTemplate", "spec")


def references(pool: Item) -> Iterator[Reference]:
    """Every object of its namespace that the template of its machines needs."""
    it.require_mapping(pool, *_TEMPLATE)
    yield from virtual_machine.references(_as_machine(pool))


def of_machine(machine: Item) -> Iterable[str]:
    """Name of the pool that made a machine: one, or none."""
    name = it.owner(machine, RESOURCE.kind)
    return (name,) if name else ()


def resource_of(pool_or_machine: Item) -> Resource:
    """The resource in the version that a stored pool has, or that its machine's owner has."""
    group = f"{RESOURCE.group}/"
    told = (it.text(one, "apiVersion") for one in (pool_or_machine, *it.owners(pool_or_machine)))
    known = (one.removeprefix(group) for one in told if one.startswith(group))
    return RESOURCE._replace(version=next(known, RESOURCE.version))


def replicas(pool: Item) -> int:
    """How many machines the pool is to have; one, where it does not say."""
    count = it.mapping(pool, "spec").get("replicas")
    return count if isinstance(count, int) else 1


def is_paused(pool: Item) -> bool:
    """True if it neither makes nor deletes machines."""
    return it.flag(pool, "spec", "paused")


def with_template(pool: Item, changed: Callable[[Item], Item]) -> Item:
    """The pool with the template of its machines changed as one of them would be."""
    it.require_mapping(pool, *_TEMPLATE)
    return it.with_value(pool, changed(_as_machine(pool))["spec"], *_TEMPLATE)


def as_pending(pool: Item, machines: Iterable[str]) -> Item:
    """The pool as it is created: paused, with a note of the machines that it takes back."""
    if is_paused(pool):
        pool = it.with_annotation(pool, STAYS_PAUSED, "true")
    pool = it.with_annotation(pool, TAKES_BACK, ",".join(machines))
    return it.with_value(pool, True, "spec", "paused")


def without_marks(pool: Item) -> Item:
    """A stored pool without the marks of a former restore, at work if it was to be."""
    notes = it.annotations(pool)
    if TAKES_BACK in notes and STAYS_PAUSED not in notes:
        pool = it.without(pool, "spec", "paused")
    for note in (TAKES_BACK, STAYS_PAUSED):
        pool = it.without(pool, "metadata", "annotations", note)
    return pool


def is_pending(pool: Item) -> bool:
    """True if a restore has paused it, and is to let it go."""
    return TAKES_BACK in it.annotations(pool)


def takes_back(pool: Item) -> Sequence[str]:
    """Names of the machines that a restore is to give it."""
    noted = it.text(pool, "metadata", "annotations", TAKES_BACK)
    return [name for name in noted.split(",") if name]


def release(pool: Item) -> Item:
    """The change that lets it go to work; a merge patch that fails if somebody has changed it."""
    annotations = {TAKES_BACK: None, STAYS_PAUSED: None}
    version = it.text(pool, "metadata", "resourceVersion")
    change: Item = {"metadata": {"resourceVersion": version, "annotations": annotations}}
    if STAYS_PAUSED not in it.annotations(pool):
        change["spec"] = {"paused": False}
    return change


def revision(machine: Item) -> str:
    """Name of the revision of its pool that the machine was made by; empty if it has none."""
    return it.text(machine, "metadata", "labels", _REVISION)


def with_restored_revision(machine: Item, pool: str) -> Item:
    """The machine by the name that its revision comes back under."""
    for path in (("metadata", "labels"), ("spec", "template", "metadata", "labels")):
        if name := it.text(machine, *path, _REVISION):
            machine = it.with_value(machine, restored_revision(name, pool), *path, _REVISION)
    return machine


def restored_revision(name: str, pool: str) -> str:
    """The name that a revision comes back under: one that the pool never gives another.

    Example: `web-3` of the pool `web` becomes `web-3-restored`, and stays that.
    """
    return f"{name}-restored" if re.fullmatch(rf"{re.escape(pool)}-\d+", name) else name


def of_revision(revision: Item) -> str:
    """Name of the pool whose specification a ControllerRevision keeps; empty if it is no such."""
    return it.owner(revision, RESOURCE.kind)


def with_changed_revision(revision: Item, changed: Callable[[Item], Item]) -> Item:
    """The revision with its template changed as that of the pool itself."""
    if not it.mapping(revision, "data", "virtualMachineTemplate", "spec"):
        return revision
    pool = {"metadata": revision["metadata"], "spec": revision["data"]}
    return it.with_value(revision, with_template(pool, changed)["spec"], "data")


def _as_machine(pool: Item) -> Item:
    """The machine that the template is of, under the pool's name."""
    metadata = {"namespace": it.namespace(pool), "name": it.name(pool)}
    return {"kind": RESOURCE.kind, "metadata": metadata, "spec": it.mapping(pool, *_TEMPLATE)}
