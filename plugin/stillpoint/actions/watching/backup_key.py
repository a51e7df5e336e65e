"""The key of the seal on what this process notes of the backup that Velero takes.

Its secret is drawn once and stored on the Backup before anything bears its seal. A process that
Velero starts in place of one that was killed finds it there, and goes on with it. None is drawn
when all is taken: what is noted by then would bear no seal any more.
"""

import threading
from weakref import WeakKeyDictionary

from stillpoint.evidence.sealed import Key
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.reader import Index
from stillpoint.velero import own_objects, seal_secret
from stillpoint.velero.context import BackupContext

_keys: WeakKeyDictionary[Index, Key] = WeakKeyDictionary()
"""By the backup's view of the cluster."""

_lock = threading.Lock()


def of(context: BackupContext) -> Key:
    """The key of the backup; the Backup's uid where no secret can be stored. Threads may share it.

    The first call in a process makes two requests, and later ones none.
    """
    with _lock:
        if context.cluster not in _keys:
            _keys[context.cluster] = _find_or_draw(context)
        return _keys[context.cluster]


def _find_or_draw(context: BackupContext) -> Key:
    known = Key.of_backup(context.backup.asked)
    if not known.is_uid or not own_objects.may_hold_guests(context.backup.asked):
        return known
    resource, where, name = own_objects.BACKUP, context.backup.namespace, context.backup.name
    try:
        found = context.cluster.current(resource, where, name) or {}
        if it.uid(found) != context.backup.uid:
            return known
        if secret := seal_secret.drawn_for(found):
            return Key(secret)
        secret = context.new_secret()
        context.writer.patch(resource, where, name, seal_secret.mark(it.uid(found), secret))
    except StillpointError as error:
        context.log.info("evidence is sealed with the uid of the backup: %s", error)
        return known
    return Key(secret)
