"""All guests of one backup that this process watches, and where its observations are stored.

They are stored as an annotation of one of the guest's VolumeSnapshots or DataUploads: Velero asks
for the result in another process, and a process that is killed leaves nothing that looks better
than it was.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from stillpoint.actions.watching import backup_key, stranded
from stillpoint.actions.watching.guest import WatchedGuest
from stillpoint.actions.watching.streams import Streams
from stillpoint.evidence import observations
from stillpoint.evidence.document import Statement
from stillpoint.model.errors import StillpointError
from stillpoint.model.reader import Index
from stillpoint.velero.context import BackupContext

_MOST_GUESTS = 64
"""Watched at once, each by two connections."""

_TOO_MANY = Statement(
    "too-many-watched", f"others were {_MOST_GUESTS} already: it was not watched all the time"
)

_LOOK_S = 1.0
_AGAIN = timedelta(seconds=10)
"""KubeVirt's status of a guest that was thawed says so within six seconds."""

_SIDE_BY_SIDE = 16

_log = logging.getLogger("stillpoint")


class Observer:
    """Watches guests of a backup, each from its item block until nothing more is to be expected.

    Threads may share it.

    Args:
        context: of any call of the backup.
    """

    def __init__(self, context: BackupContext) -> None:
        self._context = context
        self._key = backup_key.of(context)
        self._cluster = context.cluster
        self._writer = context.writer
        self._clock = context.clock
        self._lock = threading.Lock()
        self._guests: dict[str, WatchedGuest] = {}
        self._streams: dict[str, Streams | None] = {}  # None where there was no room for them
        self._is_looking = False
        self._thaw_at: dict[str, datetime] = {}  # the next attempt at a stranded guest

    def watch(self, uid: str, guest: WatchedGuest) -> None:
        """Begins to watch a guest, unless that has been done; returns at once.

        Args:
            uid: of its instance.
        """
        with self._lock:
            if uid in self._guests:
                return
            self._guests[uid] = guest
            streams = Streams(guest, self._cluster, self._clock) if self._has_room() else None
            self._streams[uid] = streams
            is_first, self._is_looking = not self._is_looking, True
        if streams:
            streams.start()
        else:
            guest.lack(_TOO_MANY)
        if is_first:
            threading.Thread(target=self._look_after_all, daemon=True, name="observer").start()

    def _has_room(self) -> bool:
        """True if one more can be watched: in place of the oldest of which no disk was taken.

        Velero is through with that one, most likely, and takes no snapshot of its disks.
        """
        watched = {uid: streams for uid, streams in self._streams.items() if streams}
        if len(watched) < _MOST_GUESTS:
            return True
        for uid, streams in watched.items():
            if not self._guests[uid].holders:
                streams.end()
                self._streams[uid] = None
                self._guests[uid].lack(_TOO_MANY)
                return True
        return False

    def guest(self, uid: str) -> WatchedGuest | None:
        """The guest of the instance with this uid, if it is or was watched."""
        return self._guests.get(uid)

    def guests_of(self, namespace: str, claim: str) -> Sequence[WatchedGuest]:
        """The guests that write to a claim."""
        with self._lock:
            found = list(self._guests.values())
        return [one for one in found if one.instance[0] == namespace and claim in one.claims]

    def end(self, within_s: float) -> None:
        """Stores what was seen of all guests that are still watched; for the process's end."""
        with self._lock:
            left = list(self._streams)
        if not left:
            return
        workers = ThreadPoolExecutor(_SIDE_BY_SIDE)
        for uid in left:
            workers.submit(self._finish, uid)
        ended = threading.Thread(target=workers.shutdown, daemon=True)
        ended.start()
        ended.join(within_s)

    def _look_after_all(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            with self._lock:
                left = list(self._streams)
                if not left:
                    self._is_looking = False
                    return
            for uid in left:
                self._look_after(uid)

    def _look_after(self, uid: str) -> None:
        """Thaws a guest that is stranded, and ends one that is through; the edge of a thread.

        One of which that fails is watched no more, and keeps nobody from looking after others.
        """
        try:
            self._thaw_if_stranded(uid)
            is_over = self._guests[uid].is_over(self._clock.now())
        except Exception:  # noqa: BLE001 - see above
            text = "guest %s/%s is watched no more, by a fault of the plugin"
            _log.warning(text, *self._guests[uid].instance, exc_info=True)
            is_over = True
        if is_over:
            self._finish(uid)

    def _thaw_if_stranded(self, uid: str) -> None:
        """Tries again and again, and tells of the first failure: nobody else thaws it."""
        guest, now = self._guests[uid], self._clock.now()
        is_due = now >= self._thaw_at.get(uid, now)
        if not is_due or not guest.now.is_frozen:
            return
        seen = guest.observations
        needs_no_freeze = guest.is_taken or stranded.is_forgotten(seen, now)
        if not needs_no_freeze or not stranded.is_stranded(seen, guest.now):
            return
        is_first, self._thaw_at[uid] = uid not in self._thaw_at, now + _AGAIN
        try:
            thaw = stranded.thaw(seen, guest.instance, self._context)
        except Exception as error:  # noqa: BLE001 - the edge of a thread
            if is_first:
                _log.error("%s", stranded.trouble(guest.instance, error))
            return
        if thaw:
            guest.thawed(thaw)
            text = "guest %s/%s was migrated or paused while frozen, and nobody thaws it: thawed"
            _log.warning(text, *guest.instance)

    def _finish(self, uid: str) -> None:
        with self._lock:
            if uid not in self._streams:
                return
            streams = self._streams.pop(uid)
        if streams:
            streams.end()
        guest = self._guests[uid]
        try:
            self._store(guest)
        except Exception:  # noqa: BLE001 - the edge of a thread
            _log.warning("observations of guest %s/%s are lost", *guest.instance, exc_info=True)

    def _store(self, guest: WatchedGuest) -> None:
        """Stores the observations on the first of the holders that is still there."""
        value = observations.to_annotation(guest.observations, self._key)
        change = {"metadata": {"annotations": {observations.OBSERVED: value}}}
        for holder in guest.holders:
            try:
                self._writer.patch(*holder, change)
            except StillpointError as error:
                _log.debug("%s", error)
            else:
                return


_observers: WeakKeyDictionary[Index, Observer] = WeakKeyDictionary()
"""By the backup's view of the cluster."""

_lock = threading.Lock()


def of(context: BackupContext) -> Observer | None:
    """The observer of the context's backup; None where nothing is observed."""
    if not context.is_observed:
        return None
    with _lock:
        return _observers.setdefault(context.cluster, Observer(context))


def end_all(within_s: float) -> None:
    """Stores what this process has seen; for its end."""
    with _lock:
        left = list(_observers.values())
    ends = [threading.Thread(target=one.end, args=(within_s,), daemon=True) for one in left]
    for end in ends:
        end.start()
    for end in ends:
        end.join(within_s)
