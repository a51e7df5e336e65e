"""The bytes that a data mover brings into the claims of a Restore.

Velero has restored all objects while its data mover still copies: a claim gets its volume when all
bytes are in it, shortly before its DataDownload is Completed. Where a storage class binds at first
use, nothing is copied before a pod uses the claim. A data mover that cannot give the volume to the
claim says so in its log alone, and its DataDownload stays InProgress.

Velero makes a DataDownload for each claim of the namespace in the backup, and the plugin cancels
those of other machines.

Source: pkg/controller/data_download_controller.go and pkg/exposer/generic_restore.go of Velero
v1.18.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reader import Reader
from stillpoint.velero import marks
from stillpoint.velero.volumes import data_download, data_movement
from stillpoint.verification.ending import Ended, Lost
from stillpoint.verification.scratch import Scratch
from stillpoint.verification.waiting import TimedOut, Waiting

TO_COME = "its bytes are still to come"
"""Said of each that has not ended: that says nothing of a backup."""


_LONGEST_WATCH_S = 10.0
"""An object that was gone before the watch began is never reported."""


def find(cluster: Reader, scratch: Scratch) -> Sequence[Item]:
    """The DataDownloads of the Restore into a scratch namespace.

    Raises:
        ReadFailed: they cannot be listed.
    """
    selector = data_download.selector(scratch.name)
    return cluster.list(data_download.RESOURCE, scratch.velero, selector)


def find_all(cluster: Reader, velero: str) -> Sequence[Item]:
    """The DataDownloads of all Restores in a namespace of Velero.

    Raises:
        ReadFailed: they cannot be listed.
    """
    return cluster.list(data_download.RESOURCE, velero, marks.OF_RESTORE)


def into(found: Iterable[Item], claims: Iterable[Item]) -> Sequence[Item]:
    """The DataDownloads that bring the bytes of these claims."""
    awaiting = _awaiting(claims)
    return [one for one in found if data_download.target(one) in awaiting]


def require(found: Iterable[Item], claims: Iterable[Item]) -> None:
    """Returns if each claim that waits for a data mover has one.

    Raises:
        Ended: a claim waits for bytes that nobody brings.
    """
    if lone := _awaiting(claims) - set(map(data_download.target, found)):
        names = listing(sorted(name for _namespace, name in lone))
        raise Ended(f"nobody brings the bytes of these claims: {names}", is_tried=False)


def _awaiting(claims: Iterable[Item]) -> set[tuple[str, str]]:
    return {it.identify(one) for one in claims if data_download.is_awaited_by(one)}


def wait(waiting: Waiting, download: Item) -> None:
    """Returns when all bytes of the claim are there.

    Raises:
        Lost: they did not come.
        Ended: they did not come in time.
        Interrupted: the run is to end.
        ReadFailed: the account may not watch.
    """
    object_ = data_download.RESOURCE, *it.identify(download)
    try:
        found = waiting.awaited(object_, data_movement.has_ended)
    except TimedOut as error:  # without a look at it, if there was no time left
        last = error.last or waiting.cluster.get(*object_)
        why = _state(last) if last else f"{_subject(download)} is gone"
        raise Ended(why, is_tried=False) from error
    if data_movement.has_moved(found):
        return
    is_of_backup = data_movement.has_begun(found) and not data_movement.is_canceled(found)
    raise Lost(_state(found), is_tried=is_of_backup)


def settle(waiting: Waiting, scratch: Scratch) -> Sequence[str]:
    """Waits until no bytes move any more after the deletion of the Restore; what goes on, in words.

    The garbage collector deletes the DataDownloads of a Restore that is gone, and the data mover
    cancels them and deletes what it made. One that is about to give its volume away must not lose
    its claim meanwhile: it deletes the volume then, and leaves the bytes in the storage. One that
    has not begun waits for its claim, or for a pod that uses that; it ends when the claim goes.

    Raises:
        ReadFailed: they cannot be listed or watched.
    """
    moving = [one for one in find(waiting.cluster, scratch) if data_movement.is_moving(one)]
    return [said for one in moving if (said := _settled(waiting, one))]


def _settled(waiting: Waiting, download: Item) -> str:
    object_ = data_download.RESOURCE, *it.identify(download)
    while True:
        found = waiting.cluster.get(*object_)
        if found is None or it.uid(found) != it.uid(download) or data_movement.has_ended(found):
            return ""
        if waiting.left_s <= 0:
            return _state(found)
        with closing(waiting.until(_LONGEST_WATCH_S).changes(object_)) as changes:
            for change in changes:
                if change.is_deleted or data_movement.has_ended(change.item):
                    return ""


def states(found: Iterable[Item]) -> Sequence[str]:
    """How far each is whose bytes are not there, in words."""
    return [_state(one) for one in found if not data_movement.has_moved(one)]


def _state(download: Item) -> str:
    """`DataDownload velero/x of claim db-root is InProgress (5 of 9 bytes)`, and what to do."""
    reached = data_movement.phase(download)
    done, total = data_movement.amounts(download)
    of_bytes = f" ({done:,} of {total:,} bytes)" if total else ""
    said = data_movement.message(download)
    cause = f": {said}" if said else ""
    to_come = "" if data_movement.has_ended(download) else f", {TO_COME}"
    subject = _subject(download)
    return f"{subject} is {reached}{of_bytes}{to_come}{cause}; HINT: {_remedy(download)}"


def _remedy(download: Item) -> str:
    namespace, name = it.identify(download)
    if mover := data_download.mover(download):
        return f"look at data mover {mover}"
    if data_movement.is_new(download):
        return f"is a node agent of Velero ready? oc get pods -n {namespace} -l name=node-agent"
    node = data_movement.node(download)
    log = f"read the log of Velero's node agent{f' on node {node}' if node else ''}"
    if data_movement.has_ended(download):
        return log
    if data_movement.is_moving(download):
        return f"a longer --timeout, if more bytes come; else {log}"
    return f"oc describe pod -n {namespace} {name} says what its pod waits for; {log}"


def _subject(download: Item) -> str:
    _namespace, claim = data_download.target(download)
    return f"{it.describe(download)} of claim {claim}"
