"""A restore as Velero makes it.

Source: pkg/restore/restore.go and pkg/cmd/server/config of Velero v1.18. Nothing is created: the
    result lists what would be.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.rehearsal.plugin.action_log import LogLine
from stillpoint.rehearsal.plugin.calls import RestoreCalls, applicable
from stillpoint.resources.disks import persistent_volume
from stillpoint.resources.machines import pod
from stillpoint.velero import restore_rules
from stillpoint.velero.restore_rules import RestoreRules
from stillpoint.velero.volumes import claim_data


class RestoreResult(StrEnum):
    """The result for an item."""

    CREATED = "created"
    UPDATED = "updated"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RestoredItem:
    """An item of a restore.

    Attributes:
        item: the object to create; None if nothing would be created.
        why: of a skipped or failed item.
        skipped_by: name of the action that left the item out; empty where Velero itself did.
        changed: paths of the fields in which the plugin made the item differ from the stored one.
        missing: additional items that are not in the backup.
        renamed: `NAMESPACE/NAME` under which the item would be created, if that is another.
        conflict: the target's existing object of that name; empty if there is none.
    """

    reference: Reference
    result: RestoreResult
    item: Item | None = None
    why: str = ""
    skipped_by: str = ""
    changed: tuple[str, ...] = ()
    missing: tuple[Reference, ...] = ()
    renamed: str = ""
    conflict: str = ""

    @property
    def target(self) -> Reference:
        """The object at the target."""
        if not self.renamed:
            return self.reference
        namespace, _slash, name = self.renamed.rpartition("/")
        return self.reference._replace(namespace=namespace, name=name)


@dataclass(frozen=True, slots=True)
class Restoration:
    """A restore, step by step.

    Attributes:
        items: in the order in which Velero would create them.
        asked: the Restore object.
        target: objects that exist in the target cluster.
    """

    items: Sequence[RestoredItem]
    asked: Item
    target: Container[Reference] = ()


def restore(
    stored: Mapping[Reference, Item],
    plugin: RestoreCalls,
    rules: RestoreRules,
    target: Container[Reference] = (),
) -> Sequence[RestoredItem]:
    """Takes every stored item through the restore actions, in the order of creation.

    Args:
        target: what the cluster has already into which the restore goes.
    """
    order = sorted(stored, key=restore_rules.rank)
    restorer = _Restorer(stored, plugin, rules, target)
    for reference in order:
        restorer.restore(reference, rules.why_not(reference, stored[reference]))
    return restorer.done


def with_reasons(
    items: Sequence[RestoredItem], stored: Mapping[Reference, Item], log: Sequence[LogLine]
) -> Sequence[RestoredItem]:
    """Adds to each item the reason that an action logged for leaving it out.

    Velero's protocol has no field for a reason, so an action says it in its log.
    """
    said = {(line.action, line.item): line.message for line in log}
    return [
        replace(one, why=said.get((one.skipped_by, it.describe(stored[one.reference])), one.why))
        if one.skipped_by
        else one
        for one in items
    ]


class _Restorer:
    def __init__(
        self,
        stored: Mapping[Reference, Item],
        plugin: RestoreCalls,
        rules: RestoreRules,
        target: Container[Reference],
    ) -> None:
        self._stored = stored
        self._plugin = plugin
        self._rules = rules
        self._target = target
        self._places: dict[Reference, int] = {}  # in `done`
        self.done: list[RestoredItem] = []

    def restore(self, reference: Reference, why_not: str) -> None:
        """Restores an item; an item that is left out may still come with another."""
        place = self._places.get(reference)
        if place is not None and (
            why_not or self.done[place].why not in self._exclusions(reference)
        ):
            return
        stored = self._stored[reference]
        why = why_not or _why_velero_skips(reference, self._stored)
        self._places[reference] = len(self.done) if place is None else place
        found = RestoredItem(reference, RestoreResult.SKIPPED, why=why)
        if place is None:
            self.done.append(found)
        if not why:
            self.done[self._places[reference]] = self._through_actions(reference, stored)

    def _exclusions(self, reference: Reference) -> tuple[str, ...]:
        why = self._rules.why_not(reference, self._stored[reference])
        return (why,) if why else ()

    def _through_actions(self, reference: Reference, stored: Item) -> RestoredItem:
        item = plain = restore_rules.without_origin(stored)
        missing: list[Reference] = []
        for action in applicable(self._plugin.restore_actions, reference, plain):
            try:
                outcome = self._plugin.restore(action, item, stored)
            except ActionFailed as error:
                return RestoredItem(reference, RestoreResult.FAILED, why=error.cause)
            if outcome.skip:
                return RestoredItem(
                    reference,
                    RestoreResult.SKIPPED,
                    why="left out by the plugin",
                    skipped_by=action.name,
                )
            item = outcome.item
            missing += [needed for needed in outcome.additional if needed not in self._stored]
            for needed in outcome.additional:
                if needed in self._stored:
                    self.restore(needed, self._rules.why_refused(needed))
        return self._create(reference, plain, item, tuple(missing))

    def _create(
        self, reference: Reference, plain: Item, item: Item, missing: tuple[Reference, ...]
    ) -> RestoredItem:
        changed = tuple(_differences(plain, item))
        namespace, name = self._rules.target(reference)
        name = it.name(item) if it.name(item) != reference.name else name
        created = reference._replace(namespace=namespace, name=name)
        renamed = "" if created == reference else "/".join(filter(None, (namespace, name)))
        found = RestoredItem(
            reference, RestoreResult.CREATED, item, "", "", changed, missing, renamed
        )
        if created not in self._target:
            return found
        if reference.group_resource in restore_rules.KEPT:  # the restore goes on with what is there
            return replace(found, result=RestoreResult.SKIPPED, item=None, why="exists already")
        if self._rules.updates:
            return replace(found, result=RestoreResult.UPDATED, why="exists already")
        return replace(
            found,
            result=RestoreResult.SKIPPED,
            item=None,
            why="exists already, Velero leaves it as it is",
            conflict=str(created),
        )


def _why_velero_skips(reference: Reference, archive: Mapping[Reference, Item]) -> str:
    item = archive[reference]
    if reference.is_of(pod.RESOURCE):
        if it.text(item, "status", "phase") in ("Succeeded", "Failed"):
            return "the pod has ended"
        if "kubernetes.io/config.mirror" in it.annotations(item):
            return "a mirror pod is the kubelet's"
    if reference.is_of(persistent_volume.RESOURCE):
        claim = archive.get(claim_data.claim_of_volume(item))
        has_data = claim is not None and claim_data.is_there(claim)
        if has_data or persistent_volume.is_deleted_with_claim(item):
            return "recreated with its claim"
    return ""


def _differences(before: Item, after: Item, path: tuple[str, ...] = ()) -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, (*path, key))
        else:
            yield ".".join((*path, key))
