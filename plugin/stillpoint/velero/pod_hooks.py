"""Commands that Velero runs in a pod before its backup, and those that freeze a guest.

A pod with an annotation has its own command alone, any other pod all commands of the Backup whose
selectors it fits. Source: internal/hook/item_hook_handler.go of Velero v1.18.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

from stillpoint.model import duration, kinds
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.velero.selection import discovery
from stillpoint.velero.selection.label_selector import LabelSelector
from stillpoint.velero.selection.resource_filter import Names

_OWN = ("pre.hook.backup.velero.io/command", "hook.backup.velero.io/command")
"""Annotations with a command: today's name, and that of Velero's first versions."""

_TIMEOUTS = ("pre.hook.backup.velero.io/timeout", "hook.backup.velero.io/timeout")
_TIMEOUT = timedelta(seconds=30)
"""Of a command without one."""

_OF_KUBEVIRT = (
    ("pre.hook.backup.velero.io/command", "--freeze"),
    ("post.hook.backup.velero.io/command", "--unfreeze"),
)


def commands(pod: Item, backup: Item) -> Sequence[str]:
    """The commands that Velero runs in the pod first, each as written; may be none."""
    for annotation in _OWN:
        if command := str(it.annotations(pod).get(annotation, "")):
            return (command,)
    return tuple(_of_backup(pod, backup))


def is_thawed_by_velero(pod: Item) -> bool:
    """True if the pod's own annotations have KubeVirt's virt-freezer freeze and thaw its guest.

    It has to be the command itself: of a shell around it, `virt-freezer --freeze … || true`, nobody
    knows what it reports. Source: pkg/storage/pod/annotations of KubeVirt v1.9.
    """
    annotations = it.annotations(pod)
    return all(
        words[0].rpartition("/")[2] == "virt-freezer" and verb in words[1:]
        for annotation, verb in _OF_KUBEVIRT
        for words in (_words(str(annotations.get(annotation, ""))),)
    )


def freezes(pod: Item, backup: Item) -> bool:
    """True if a command of the pod is KubeVirt's freeze, or has `freez` in its words."""
    return any("freez" in command for command in commands(pod, backup))


def _words(command: str) -> Sequence[str]:
    """The words of an annotation's command, as Velero reads them: a JSON array, or a single one."""
    try:
        found = json.loads(command) if command.startswith("[") else None
    except (ValueError, RecursionError):
        found = None
    is_array = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return found if found and is_array else [command]


def own_timeout(pod: Item) -> timedelta | None:
    """Time that Velero gives to the pod's own command; None for a pod without one."""
    if not any(one in it.annotations(pod) for one in _OWN):
        return None
    given = (it.text(it.annotations(pod), annotation) for annotation in _TIMEOUTS)
    return next(filter(None, map(duration.parse, filter(None, given))), _TIMEOUT)


def _of_backup(pod: Item, backup: Item) -> Iterator[str]:
    for hook in it.sequence(backup, "spec", "hooks", "resources"):
        if _applies(hook, pod):
            for before in it.sequence(hook, "pre"):
                if words := it.texts(before, "exec", "command"):
                    yield " ".join(words)


def _applies(hook: Item, pod: Item) -> bool:
    namespaces = _names(hook, "Namespaces")
    resources = Names(
        *map(_group_resources, (_resources(hook, "included"), _resources(hook, "excluded")))
    )
    selector = LabelSelector.of_object(it.mapping(hook, "labelSelector"))
    return (
        namespaces.select(it.namespace(pod))
        and resources.select(str(kinds.POD))
        and selector.matches(it.labels(pod))
    )


def _names(hook: Item, what: str) -> Names:
    included, excluded = (it.texts(hook, f"{verb}{what}") for verb in ("included", "excluded"))
    return Names(frozenset(included), frozenset(excluded))


def _resources(hook: Item, verb: str) -> Sequence[str]:
    return it.texts(hook, f"{verb}Resources")


def _group_resources(names: Sequence[str]) -> frozenset[str]:
    return frozenset(discovery.STATIC.name(name).text for name in names)
