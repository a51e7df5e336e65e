"""Remedies, whose commands name the backup, its Velero and the machine, quoted for a shell."""

import shlex

from stillpoint.model import item as it
from stillpoint.model.item import Item


def text(remedy: str, backup: Item | None, **names: str) -> str:
    """The text of a remedy.

    Args:
        remedy: with `{backup}`, `{velero}` for the namespace of Velero, and the keys of `names`.
        backup: None if its object is not there; then capitals stand for what is to be filled in.
    """
    item = backup or {}
    of_backup = {"backup": it.name(item) or "BACKUP", "velero": it.namespace(item) or "VELERO"}
    words = {key: shlex.quote(name) for key, name in {**of_backup, **names}.items()}
    return remedy.format(**words)
