"""Velero's Deployment and the DaemonSet of its node agents (apps/v1): images, flags, readiness.

Sources: pkg/install/deployment.go, pkg/install/daemonset.go and pkg/cmd/server/config/config.go of
Velero v1.18; internal/controller/velero.go and nodeagent.go of oadp-operator.
"""

from collections.abc import Sequence
from typing import NamedTuple

from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.velero import server

SERVER = server.RESOURCE
NODE_AGENT = Resource("apps", "v1", "daemonsets", "DaemonSet")
NODE_AGENT_NAME = "node-agent"

LABELS = ("component=velero", "app.kubernetes.io/name=velero")
"""Selectors of the server's Deployment: of `velero install` and OADP, and of Velero's chart."""


class Image(NamedTuple):
    """A container, by its name and image."""

    container: str
    image: str

    @property
    def repository(self) -> str:
        """The last part of the image's name, without tag and digest: `velero-plugin-for-aws`."""
        return self.image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def images(workload: Item) -> Sequence[Image]:
    """The containers that run."""
    return _images(workload, "containers")


def plugins(deployment: Item) -> Sequence[Image]:
    """The init containers, each of which copies a plugin."""
    return _images(deployment, "initContainers")


def _images(workload: Item, field: str) -> Sequence[Image]:
    containers = it.sequence(workload, "spec", "template", "spec", field)
    return [Image(it.text(one, "name"), it.text(one, "image")) for one in containers]


def is_server(deployment: Item) -> bool:
    """True for the server: by its name, or by its command where a chart named it otherwise."""
    if it.name(deployment) == server.NAME:
        return True
    containers = it.sequence(deployment, "spec", "template", "spec", "containers")
    words = [[*it.texts(one, "command"), *it.texts(one, "args")] for one in containers]
    return any("server" in one and "velero" in "".join(one[:1]) for one in words)


def features(workload: Item) -> Sequence[str]:
    """The features that are switched on."""
    return [one for one in (server.flag(workload, "features") or "").split(",") if one]


def is_on(workload: Item, name: str) -> bool:
    """True if a flag without a default is on, as `--default-snapshot-move-data`."""
    return server.flag(workload, name) in ("", "true", "t", "1", "T", "TRUE", "True")


def account(deployment: Item) -> str:
    """Name of the service account that the server, and the plugin with it, runs as."""
    return it.text(deployment, "spec", "template", "spec", "serviceAccountName") or "default"


def ready(deployment: Item) -> int | None:
    """Ready pods of a Deployment; None if its status does not say."""
    status = it.mapping(deployment, "status")
    return _count(deployment, "readyReplicas") if status else None


def agents(daemon_set: Item) -> tuple[int, int] | None:
    """Ready and wanted pods of a DaemonSet; None if its status does not say."""
    status = it.mapping(daemon_set, "status")
    if "desiredNumberScheduled" not in status:
        return None
    return _count(daemon_set, "numberReady"), _count(daemon_set, "desiredNumberScheduled")


def _count(workload: Item, field: str) -> int:
    value = it.mapping(workload, "status").get(field) or 0
    if not isinstance(value, int):
        raise MalformedItem(it.describe(workload), f"status.{field}", "a number", value)
    return value


def owner(deployment: Item) -> str:
    """Name of the DataProtectionApplication that made it; empty if none did."""
    return it.owner(deployment, "DataProtectionApplication")
