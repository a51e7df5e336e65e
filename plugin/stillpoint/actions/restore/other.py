"""Restore of all other objects: left out where only machines and their parts are wanted."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from stillpoint.actions.restore.losses import overwritten
from stillpoint.actions.restore.selection import machines, plan
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.api_resources import KNOWN, guess_plural
from stillpoint.model.conditions import ONLY
from stillpoint.model.errors import ArchiveUnreadable, Refusal
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.model.reference import Reference
from stillpoint.resources import by_products
from stillpoint.resources.disks import (
    persistent_volume,
    persistent_volume_claim,
    volume_snapshot,
)
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import claim_data

_PLURALS = {(one.group, one.kind): one.plural for one in KNOWN}

DOES = (
    "as it was; left out: what a controller made for one task (importer pods, scratch claims, "
    "volume sources, budgets), and what no machine needs where [only](restore/only.md) machines "
    "are wanted; refused: a pod through which Velero would write files over the disk of a guest "
    "that runs"
)


@dataclass(frozen=True, slots=True)
class Other:
    """The action for every resource without an action for all its objects."""

    APPLIES_TO: Selector

    @classmethod
    def beside(cls, others: Iterable[Selector]) -> Self:
        """The action beside actions with these selectors."""
        whole = (one.resources for one in others if not one.labels)
        return cls(Selector(("*",), excluded=tuple(itertools.chain.from_iterable(whole))))

    @staticmethod
    def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
        """See `execute`."""
        return execute(item, context)


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Creates the object, unless another rule leaves it out or its controller recreates it.

    Raises:
        Refusal: a pod, through which files would be written over the disk of a guest that runs.
    """
    it.require_mapping(item, "metadata")
    reference = _reference(context.stored)
    if why := by_products.why(_snapshot_of(reference, context)) or _why_recreated(context):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    if not reference.namespace:
        return _of_cluster(item, reference, context)
    made = plan.of(context, reference.namespace)
    if made.wanted is not None and (why := made.why_left_out(reference)):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    if reference.is_of(pod.RESOURCE):
        overwritten.refuse(context)
    return RestoreOutcome(item)


def _snapshot_of(reference: Reference, context: RestoreContext) -> Item:
    """The VolumeSnapshot of a content, which shares its fate; any other object itself."""
    if not reference.is_of(kinds.VOLUME_SNAPSHOT_CONTENT):
        return context.stored
    try:
        snapshot = context.archive.get(claim_data.snapshot_of_content(context.stored))
    except ArchiveUnreadable:
        return context.stored
    return snapshot or context.stored


def _why_recreated(context: RestoreContext) -> str:
    """The reason for an object that KubeVirt makes for an instance that its machine recreates."""
    name = it.owner(context.stored, virtual_machine_instance.RESOURCE.kind)
    if not name:
        return ""
    owner = virtual_machine_instance.RESOURCE.named(it.namespace(context.stored), name)
    try:
        instance = context.archive.get(owner)
    except ArchiveUnreadable:
        return ""
    if instance is not None and not virtual_machine_instance.is_owned(instance):
        return ""
    return f"not restored: it belongs to the instance {name}, which is recreated with it"


def _of_cluster(item: Item, reference: Reference, context: RestoreContext) -> RestoreOutcome:
    try:
        is_all = not context.restore.conditions.only
    except Refusal:
        is_all = True  # machines say so
    if is_all or any(_is_wanted(context.stored, reference, context)):
        return RestoreOutcome(item)
    context.log.info("not restored: no machine of %s needs it", ONLY)
    return RestoreOutcome(item, skip=True)


def _is_wanted(stored: Item, reference: Reference, context: RestoreContext) -> Iterator[bool]:
    """True if a wanted machine needs the object, in any of several ways."""
    claim = _claim(stored, reference, context)
    if claim and claim.name:
        yield not plan.of(context, claim.namespace).why_left_out(claim)
    for namespace in machines.namespaces(context.archive):
        wanted = plan.of(context, namespace).wanted or ()
        yield reference in wanted
        yield reference == kinds.NAMESPACE.named("", namespace) and bool(wanted)


def _claim(stored: Item, reference: Reference, context: RestoreContext) -> Reference | None:
    """The claim of a volume, or of a snapshot's content."""
    if reference.is_of(persistent_volume.RESOURCE):
        return claim_data.claim_of_volume(stored)
    if not reference.is_of(kinds.VOLUME_SNAPSHOT_CONTENT):
        return None
    snapshot = context.archive.get(claim_data.snapshot_of_content(stored))
    name = volume_snapshot.claim(snapshot or {})
    return persistent_volume_claim.RESOURCE.named(it.namespace(snapshot or {}), name)


def _reference(stored: Item) -> Reference:
    group = it.text(stored, "apiVersion").rpartition("/")[0]
    kind = it.text(stored, "kind")
    plural = _PLURALS.get((group, kind)) or guess_plural(kind)
    return Reference(group, plural, it.namespace(stored), it.name(stored))
