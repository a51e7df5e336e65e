"""Configuration of node agents: JSON in a ConfigMap whose name is a flag of their DaemonSet.

Source: pkg/types/node_agent.go and pkg/nodeagent/node_agent.go of Velero v1.18.
"""

from collections.abc import Iterable

import orjson

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.velero import server

CONFIG_MAP = kinds.CONFIG_MAP

_FLAG = "node-agent-configmap"


def ignores_delayed_binding(daemon_set: Item, config_maps: Iterable[Item]) -> bool | None:
    """True if moved data is restored although nobody uses the claim yet; None if nothing says."""
    name = server.flag(daemon_set, _FLAG)
    if not name:
        return False
    found = next((one for one in config_maps if it.name(one) == name), None)
    if found is None:
        return None
    for text in it.mapping(found, "data").values():
        try:
            settings = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if isinstance(settings, dict):
            return it.flag(settings, "restorePVC", "ignoreDelayBinding")
    return False
