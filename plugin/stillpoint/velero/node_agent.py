"""Velero's node agents, which are its own data mover."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("apps", "v1", "daemonsets", "DaemonSet")
NAMES = ("node-agent", "node-agent-windows")
"""The names that `velero install` and OADP give to their DaemonSets."""


def is_ready(daemon_set: Item) -> bool:
    """True if the agent is ready on a node.

    Source: IsReady in pkg/nodeagent/node_agent.go of Velero v1.18.
    """
    return bool(it.mapping(daemon_set, "status").get("numberReady"))
