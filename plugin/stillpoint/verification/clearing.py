"""Deletes all that was made for one machine, and nothing else.

In this order, so that nothing is lost whenever it ends:

1. the Restore. Velero creates a namespace again that it misses, so nothing else goes before it is
   known to create no more objects (EnsureNamespaceExistsAndIsReady in pkg/util/kube/utils.go). Then
   its end is waited for only if a data mover ends with it: Velero deletes one Restore when it
   restores no other. But while it finalizes it looks for the claims every 10 s, for up to ten
   minutes if they are gone, and finalizes no other Restore: where they are bound it is left to
   end (patchDynamicPVWithVolumeInfo in pkg/controller/restore_finalizer_controller.go).
2. what a data mover brings just now: it must not lose its claim as it gives a volume to that.
3. VolumeSnapshotContents of snapshots in the namespace that were there before, whoever created
   them. They name the snapshots of the backup in the storage: each is made sure to leave those
   alone, and then deleted, or nothing else is.
4. the way of each volume: one that is not provably new stays when its claim goes, and one that is,
   and would stay for the sake of its original (Velero takes over the policy), goes; but for those
   of a run that was killed, of which only what was written beside them says that it was.
5. the namespace, with the machine and all its claims: these are deleted as soon as its own deletion
   was asked for (`emptying`), so that its controller finds it empty.
6. the Restore again, unless a watch has seen it go: it is waited for, and one that was created only
   now, by a request that was under way for long, is deleted.

Where the namespace stays, or does not go in time, its guests are ended all the same (`guests`).

Each deletion names the uid of what is meant, and each change the version that was looked at.
Source: Velero v1.15 to v1.18; external-snapshotter v8.6, syncContent of its sidecar controller.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.clock import Clock
from stillpoint.model.errors import ReadFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.model.reference import Resource
from stillpoint.model.writer import Cluster
from stillpoint.resources.disks import (
    persistent_volume,
    persistent_volume_claim,
    volume_snapshot_content,
)
from stillpoint.resources.machines import virtual_machine
from stillpoint.velero import marks, own_objects
from stillpoint.verification import data_downloads, emptying, guests
from stillpoint.verification.disks import Volumes
from stillpoint.verification.interruption import Interruption
from stillpoint.verification.scratch import Scratch
from stillpoint.verification.waiting import (
    TimedOut,
    Waiting,
    delete,
    first,
    is_seen_to_go,
    wait_until_gone,
)

RESTORE_S = 90.0
FINALIZED_S = 15.0
BYTES_S = 30.0
NAMESPACE_S = 120.0
GUEST_S = 30.0
_GUEST_OF_GOING_S = 10.0
"""The longest waits for the end of each; together with the sweep less than the grace period that
`stillpoint render verify` gives its pods."""

_FIRST_LOOK_S = 15.0
"""Until all is deleted, and the namespace controller has looked once at the namespace."""

_MOST_TRIES = 3


class Unsafe(Exception):
    """To delete the namespace could delete what is somebody else's."""


@dataclass(slots=True)
class Clearing:
    """The clearing of one scratch namespace.

    Attributes:
        originals: see `Volumes`; None for what a killed run has left.
        are_bound: whether all claims of the Restore are bound, so that it ends by itself.
        may_move: false if no data mover has anything to do with the backup.
        namespace: as created; None if nobody knows whether it was.
        restore: as last seen; None if it is to be looked for.
        machine: the only one of the namespace; None if they are to be looked for.
        vacated: called as soon as no machine is there any more; the namespace may take some seconds
            more. Not called where that is not known sooner than that the namespace is gone.
        latest: the end of all waits, but for those for guests that are ended; None if each wait has
            its own time alone.
        left: what could not be deleted, and how to do it by hand.
        notes: why it took longer than it could, and whose guest was ended.
    """

    cluster: Cluster
    clock: Clock
    scratch: Scratch
    originals: Collection[str] | None
    are_bound: bool = False
    may_move: bool = True
    namespace: Item | None = None
    restore: Item | None = None
    machine: Item | None = None
    vacated: Callable[[], None] = lambda: None
    latest: datetime | None = None
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _waited_for: str = ""  # uid of the Restore whose end was waited for
    _is_going: bool = False  # the namespace, with all that is in it
    _watches: ExitStack = field(default_factory=ExitStack)
    _restore_changes: Iterable[Change] = ()  # from before its deletion on, as far as not yet read
    _namespace_changes: Iterable[Change] = ()  # the same

    def run(self) -> Sequence[str]:
        """Deletes all that can be deleted; what is left, in words."""
        name = self.scratch.name
        try:
            with self._watches:
                self._delete_all()
        except Unsafe as error:
            self._leave(f"it stays, for {error}")
        except StillpointError as error:
            self._leave(f"{error}; HINT: oc get namespace {name}")
        except Exception as error:  # noqa: BLE001 - whatever it is, what is left is named
            what = f"a fault of the command: {type(error).__name__}: {error}"
            self._leave(f"{what}; HINT: oc get namespace {name}")
        return self.left

    def _leave(self, why: str) -> None:
        self.left.append(f"namespace {self.scratch.name}: {why}")
        if not self._is_going:
            self._end_guests(GUEST_S)

    def _end_guests(self, longest_s: float) -> None:
        """Ends the guests of a namespace that stays, before the next machine takes their room."""
        waiting = self._waiting(longest_s, GUEST_S)
        if self.machine is not None and not self._is_going:
            self.left += guests.end(waiting, [self.machine])
            return
        try:
            ours, others = guests.find(self.cluster, self.scratch)
        except StillpointError as error:
            name = self.scratch.name
            what = f"whether a guest runs on in namespace {name} is not known"
            self.left.append(f"{what}: {error}; HINT: oc get virtualmachines -n {name}")
            return
        left = guests.end(waiting, ours)
        if ours and not left:
            self.notes.append("its guest was ended")
        why = "nothing proves that this verification has made it"
        self.left += (*left, *(guests.may_run_on(one, why) for one in others))

    def _delete_all(self) -> None:
        name = self.scratch.name
        self._delete_restore()
        namespace = self._found_namespace()
        if namespace is not None and not self.scratch.is_of_this(namespace):
            raise Unsafe("it is not of this run any more")
        if self.may_move:
            self._settle_downloads()
        contents = self._delete_contents()
        if namespace is not None:
            claims = self.cluster.list(kinds.CLAIM, name)
            self._settle_volumes(namespace, claims)
            self._delete_namespace(namespace, contents, claims)
        if self.restore and is_seen_to_go(self._restore_changes, it.uid(self.restore)):
            return
        found = self._found_restore()
        if found is not None and it.uid(found) != self._waited_for:
            self._end_restore(found)
            again = self.cluster.get(kinds.NAMESPACE, "", name)
            if again is not None and (namespace is None or it.uid(again) != it.uid(namespace)):
                raise Unsafe("Velero made it once more, for a Restore that came late")

    def _delete_restore(self) -> None:
        """Returns when Velero creates nothing more for the Restore."""
        found = self.restore or self._found_restore()
        if found is None:
            return
        if own_objects.has_restored_objects(found) and not self.may_move:
            place = own_objects.RESTORE, self.scratch.velero, self.scratch.name
            if self.are_bound and not own_objects.has_restore_ended(found):
                self._restore_changes = self._watch(place, FINALIZED_S)
                with suppress(TimedOut):
                    first(self._restore_changes, own_objects.has_restore_ended)
            self.cluster.delete(*place, uid=it.uid(found))
        else:
            self._end_restore(found)

    def _watch(
        self, object_: tuple[Resource, str, str], longest_s: float
    ) -> Generator[Change, None, None]:
        """Changes of an object from before its deletion on, so that its end is not missed."""
        changes = self._waiting(longest_s).changes(object_)
        return self._watches.enter_context(closing(changes))

    def _found_namespace(self) -> Item | None:
        object_ = kinds.NAMESPACE, "", self.scratch.name
        if self.namespace is not None:
            self._namespace_changes = changes = self._watch(object_, _FIRST_LOOK_S)
            with suppress(TimedOut):
                return first(changes, lambda _: True)
        return self.cluster.get(*object_)

    def _found_restore(self) -> Item | None:
        scratch = self.scratch
        found = self.cluster.get(own_objects.RESTORE, scratch.velero, scratch.name)
        if found is not None and not scratch.is_of_this(found):
            raise Unsafe(f"Restore {scratch.velero}/{scratch.name} is of somebody else")
        return found

    def _end_restore(self, found: Item) -> None:
        scratch = self.scratch
        self._waited_for = it.uid(found)
        reference = own_objects.RESTORE.named(scratch.velero, scratch.name)
        rest = delete(self._waiting(RESTORE_S), reference, own_objects.RESTORE, it.uid(found))
        if rest is None:
            return
        by_hand = f"oc get restores.velero.io -n {scratch.velero} {scratch.name}"
        why = f"Restore {scratch.velero}/{scratch.name} is deleted, and Velero keeps it for now"
        self.left.append(f"{why}; HINT: {by_hand}")
        if not own_objects.has_restored_objects(rest):
            phase = own_objects.phase(rest) or "New"
            raise Unsafe(f"its Restore is {phase}; HINT: stillpoint verify --clean-up, later")

    def _settle_downloads(self) -> None:
        try:
            self.left += data_downloads.settle(self._waiting(BYTES_S), self.scratch)
        except ReadFailed as error:
            self.left.append(f"whether a data mover still works is not known: {error}")

    def _delete_contents(self) -> Sequence[Item]:
        """Deletes the objects that name snapshots of the backup, and no snapshot; those objects."""
        found = [
            one
            for one in self.cluster.list(volume_snapshot_content.RESOURCE, "")
            if volume_snapshot_content.snapshot(one).namespace == self.scratch.name
            and volume_snapshot_content.is_of_existing(one)
        ]
        for content in found:
            self._delete_content(content)
        return found

    def _delete_content(self, content: Item) -> None:
        """Deletes an object that leaves its snapshot in the storage alone, in this very version."""
        resource, name, uid = volume_snapshot_content.RESOURCE, it.name(content), it.uid(content)
        found: Item | None = content
        for _ in range(_MOST_TRIES):
            if found is None or it.uid(found) != uid:
                return
            if not volume_snapshot_content.is_retained(found):
                why = f"VolumeSnapshotContent {name} would take a snapshot of the backup with it"
                raise Unsafe(f"{why}; HINT: set its deletionPolicy to Retain, then --clean-up")
            version = it.text(found, "metadata", "resourceVersion")
            try:
                self.cluster.delete(resource, "", name, uid=uid, version=version)
            except ReadFailed as error:  # its status changes as the storage gets ready
                failure = error
                found = self.cluster.get(resource, "", name)
            else:
                return
        by_hand = f"oc delete volumesnapshotcontent {name}"
        self.left.append(f"VolumeSnapshotContent {name}: {failure}; HINT: {by_hand}")

    def _settle_volumes(self, namespace: Item, claims: Sequence[Item]) -> None:
        bound = [one for one in claims if persistent_volume_claim.volume(one)]
        if not bound:
            return
        since = it.creation_time(namespace) or datetime.max.replace(tzinfo=UTC)
        items = self.cluster.list(persistent_volume.RESOURCE, "")
        volumes = Volumes(items, self.originals, since)
        for claim in bound:
            if volume := volumes.of(claim):
                self._settle(claim, volume, volumes.why_not_new(claim))

    def _settle(self, claim: Item, volume: Item, why_not_new: str) -> None:
        if not persistent_volume.is_bound_to(volume, claim):
            return
        name, goes = it.name(volume), persistent_volume.is_deleted_with_claim(volume)
        if why_not_new:
            if goes:
                self._retain(volume, why_not_new)
            self.left.append(f"{why_not_new}, so it stays; HINT: oc get persistentvolume {name}")
        elif goes:
            return
        elif self.originals is None:  # whoever forged this namespace may mean to keep it
            by_hand = f"oc get persistentvolume {name}"
            self.left.append(f"volume {name} stays, as it is to; HINT: {by_hand}")
        elif marks.is_of_restore(claim, self.scratch.name):
            change = persistent_volume.deletion_with_claim(volume)
            try:
                self.cluster.patch(persistent_volume.RESOURCE, "", name, change)
            except ReadFailed as error:
                by_hand = f"oc get persistentvolume {name}"
                self.left.append(f"volume {name} stays: {error}; HINT: {by_hand}")

    def _retain(self, volume: Item, why_not_new: str) -> None:
        change = persistent_volume.retention(volume)
        try:
            self.cluster.patch(persistent_volume.RESOURCE, "", it.name(volume), change)
        except ReadFailed as error:
            raise Unsafe(f"{why_not_new}, and would go with it ({error})") from error

    def _delete_namespace(
        self, namespace: Item, contents: Sequence[Item], claims: Sequence[Item]
    ) -> None:
        name, uid = self.scratch.name, it.uid(namespace)
        waiting = self._waiting(NAMESPACE_S)
        self.cluster.delete(kinds.NAMESPACE, "", name, uid=uid)
        self._is_going = True
        try:
            machines = [self.machine] if self.machine else self._machines()
            is_vacated = emptying.empty(waiting, machines, contents, claims)
        except StillpointError as error:  # it all goes with the namespace
            self.notes.append(f"its namespace goes later than it could: {error}")
        else:
            if is_vacated:
                self.vacated()
        object_ = kinds.NAMESPACE, "", name
        changes = self._namespace_changes or self._watch(object_, _FIRST_LOOK_S)
        rest = wait_until_gone(waiting, object_, uid, changes)
        if rest is not None:
            said = "; ".join(_obstacles(rest)) or "not gone in time"
            self.left.append(
                f"namespace {name} is being deleted: {said}; HINT: oc get namespace {name}"
            )
            self._end_guests(_GUEST_OF_GOING_S)

    def _machines(self) -> Sequence[Item]:
        return self.cluster.list(virtual_machine.RESOURCE, self.scratch.name)

    def _waiting(self, longest_s: float, later_s: float = 0.0) -> Waiting:
        """Waits so long, and until so many seconds after `latest`."""
        deadline = self.clock.now() + timedelta(seconds=longest_s)
        if self.latest is not None:
            deadline = min(deadline, self.latest + timedelta(seconds=later_s))
        return Waiting(self.cluster, self.clock, Interruption(), deadline)


def _obstacles(namespace: Item) -> Iterator[str]:
    for condition in it.sequence(namespace, "status", "conditions"):
        if it.text(condition, "status") == "True":
            yield it.text(condition, "message")
