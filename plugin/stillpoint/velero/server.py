"""Velero's server, as its Deployment shows it: version, plugins, flags and environment."""

import re
from collections.abc import Iterable, Iterator, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("apps", "v1", "deployments", "Deployment")
NAME = "velero"
"""The name that `velero install` and OADP give to the server's Deployment, and to its container."""

EARLY_POLLING = "CSI_SNAPSHOT_EARLY_FREQUENT_POLLING"
"""Variable by which Velero 1.18.1 and newer look for a snapshot each second, for ten seconds."""

_POLICIES_OF_ALL_FLAG = "global-backup-volume-policies-configmap"
_PLUGIN = "stillpoint"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")  # strconv.ParseBool of Go
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", re.ASCII)
_EARLY_SINCE = (1, 18, 1)

Version = tuple[int, int, int]


def find(namespace: str, objects: Iterable[Item]) -> Item | None:
    """The Deployment of the server of this namespace; None if it is not among the objects."""
    wanted = (RESOURCE.kind, namespace, NAME)
    return next(
        (one for one in objects if (one["kind"], it.namespace(one), it.name(one)) == wanted), None
    )


def policies_of_all(deployment: Item) -> str:
    """Name of the ConfigMap with policies of all backups, by a server's flags; may be empty.

    Source: pkg/cmd/server/config of Velero, on its way to 1.19; older servers refuse the flag.
    """
    return flag(deployment, _POLICIES_OF_ALL_FLAG) or ""


def flag(workload: Item, name: str) -> str | None:
    """A flag of the containers of a Deployment or DaemonSet; None if it is not given.

    Args:
        name: without dashes. One without a value is empty.
    """
    for container in _containers(workload):
        words = [*it.texts(container, "command"), *it.texts(container, "args")]
        for number, word in enumerate(words):
            given, equals, value = word.partition("=")
            if word.startswith("-") and given.lstrip("-") == name:
                following = "".join(words[number + 1 : number + 2])
                return value if equals else following if following[:1] != "-" else ""
    return None


def version(deployment: Item) -> Version | None:
    """The server's version; None if the tag of its image does not say."""
    containers = _containers(deployment)
    own = [one for one in containers if it.text(one, "name") == NAME] or containers
    return of_image(it.text(own[0], "image")) if own else None


def of_image(image: str) -> Version | None:
    """The version in the tag of an image; None if the tag is none, or there is a digest alone."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = _VERSION.fullmatch(tag)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def plugin_images(deployment: Item) -> Iterator[str]:
    """Images of the init containers that bring this plugin: the name or the image says so."""
    for container in it.sequence(deployment, "spec", "template", "spec", "initContainers"):
        image = it.text(container, "image")
        if is_plugin(it.text(container, "name"), image):
            yield image


def is_plugin(container: str, image: str) -> bool:
    """True if an init container brings this plugin: its name or its image says so."""
    return _PLUGIN in container or _PLUGIN in image.rpartition("/")[2]


def polls_early(deployment: Item) -> bool:
    """True if the server looks for a snapshot each second, and not every five seconds.

    Source: WaitUntilVSCHandleIsReady in pkg/util/csi/volume_snapshot.go of Velero v1.18.3.
    """
    is_set = any(
        it.text(variable, "name") == EARLY_POLLING and it.text(variable, "value") in _TRUE
        for container in _containers(deployment)
        for variable in it.sequence(container, "env")
    )
    return is_set and (version(deployment) or _EARLY_SINCE) >= _EARLY_SINCE


def _containers(deployment: Item) -> Sequence[Item]:
    return it.sequence(deployment, "spec", "template", "spec", "containers")
