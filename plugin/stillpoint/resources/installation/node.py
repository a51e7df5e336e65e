"""Node (v1): where pods of Velero may run, by labels; and the time of its last word."""

from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("", "v1", "nodes", "Node")


def heartbeat(node: Item) -> datetime | None:
    """When its kubelet last wrote the status, which it does every five minutes at least."""
    conditions = it.sequence(node, "status", "conditions")
    times = (it.time(one, "lastHeartbeatTime") for one in conditions)
    return max(filter(None, times), default=None)
