"""The switch by which the plugin, and not Velero, takes the snapshots of volumes.

Since Velero 1.18 a volume policy can leave volumes to "custom" actions, of which parameters say
whose (design/custom-volume-policy-action.md of Velero). Velero 1.15 to 1.17 refuses such a policy;
there `snapshotVolumes: false` keeps Velero away, and an annotation of the Backup asks the plugin.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from stillpoint.model import duration, switch
from stillpoint.model import item as it
from stillpoint.model.errors import excerpt
from stillpoint.model.item import Item

ANNOTATION = "stillpoint.dev/snapshotter"
"""Annotation of a Backup with `snapshotVolumes: false`."""

ALL = "all"
"""Its only value: all volumes that no policy and no copy of files decides about."""

PARAMETER, NAME = "snapshotter", "stillpoint"
"""The parameter of a policy's action that leaves volumes to the plugin, and its only value."""

FROZEN_TIMEOUT = "stillpoint.dev/frozen-timeout"
"""Annotation of a Backup: after that time a guest is thawed, whatever the storage still lacks."""

_FROZEN_TIMEOUT = timedelta(seconds=60)
"""Storages take snapshots in less; a Linux guest complains of tasks that hang after 120 s."""

GROUP = "group"
"""The parameter that asks for one group snapshot of a guest's disks: true or false."""


def takes_snapshots(backup: Item) -> bool:
    """True if Velero takes snapshots of volumes that no policy decides about."""
    return it.mapping(backup, "spec").get("snapshotVolumes") is not False


def takes_rest(backup: Item) -> bool:
    """True if the plugin takes snapshots of all volumes that nothing else decides about.

    Raises:
        Refusal: the annotation has another value than `all`.
    """
    return not takes_snapshots(backup) and _is_asked(backup)


def frozen_timeout(backup: Item) -> timedelta:
    """The time for which a guest stands still for snapshots that the plugin takes.

    Raises:
        Refusal: the annotation is no such time.
    """
    if FROZEN_TIMEOUT not in it.annotations(backup):
        return _FROZEN_TIMEOUT
    value = it.text(it.annotations(backup), FROZEN_TIMEOUT)
    if not (asked := duration.parse(value)):
        cause = f"it has no meaning with the value {value!r}"
        raise switch.refusal(backup, FROZEN_TIMEOUT, cause, "set it to a time such as 60s or 2m")
    return asked


def check(backup: Item) -> None:
    """Checks the annotations of a Backup.

    Raises:
        Refusal: one has a value without a meaning, or Velero takes the snapshots itself.
    """
    frozen_timeout(backup)
    if _is_asked(backup) and takes_snapshots(backup):
        cause = "spec.snapshotVolumes is not false, so Velero takes the snapshots itself"
        hint = "set spec.snapshotVolumes: false, or take the annotation off the Backup"
        raise switch.refusal(backup, ANNOTATION, cause, hint)


def _is_asked(backup: Item) -> bool:
    annotations = it.annotations(backup)
    if ANNOTATION not in annotations:
        return False
    value = it.text(annotations, ANNOTATION)
    if value != ALL:
        raise switch.without_meaning(backup, ANNOTATION, value, (ALL,))
    return True


def is_asked_for(action_type: str, parameters: Mapping[str, Any]) -> bool:
    """True if an action leaves volumes to this plugin, or is meant to: nobody else takes those."""
    return action_type == "custom" and (PARAMETER in parameters or bool(_misspelt(parameters)))


def _misspelt(parameters: Mapping[str, Any]) -> str:
    """The name of a parameter that looks like this plugin's; empty if none does."""
    from difflib import get_close_matches  # noqa: PLC0415 - for the few backups that have policies

    for name, value in parameters.items():
        if value == NAME or get_close_matches(str(name).lower(), [PARAMETER], cutoff=0.905):
            return str(name)
    return ""


def fault(action_type: str, parameters: Mapping[str, Any]) -> str:
    """The reason why an action with the plugin's parameter cannot be obeyed; empty if it can."""
    if PARAMETER not in parameters:
        meant = _misspelt(parameters) if action_type == "custom" else ""
        hint = f"{excerpt(meant)} is no parameter: {PARAMETER}: {NAME} is meant, or another plugin"
        return hint if meant else ""
    asked = parameters[PARAMETER]
    if action_type != "custom":
        return f"{PARAMETER} has a meaning with type: custom alone, not with {excerpt(action_type)}"
    if asked != NAME:
        return f"{PARAMETER} is {excerpt(asked)}, and can only be {NAME!r}"
    for name in parameters:
        if name not in (PARAMETER, GROUP):
            return f"{excerpt(name)} is no parameter: there are {GROUP}, {PARAMETER}"
    if not isinstance(parameters.get(GROUP, False), bool):
        return f"{GROUP} is {excerpt(parameters[GROUP])}, and can only be true or false"
    return ""
