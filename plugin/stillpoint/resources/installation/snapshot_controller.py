"""Pods of external-snapshotter's controller (v1): which version of it runs.

Source: deploy/kubernetes/snapshot-controller of external-snapshotter v8.6 and v4.0, and
csi_controller_deployment.yaml of cluster-csi-snapshot-controller-operator. A managed cluster may
run it where nobody sees it.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.machines import pod
from stillpoint.velero import server

RESOURCE = pod.RESOURCE

_LABELS = {
    "app.kubernetes.io/name": ("snapshot-controller",),
    "app": ("snapshot-controller", "csi-snapshot-controller"),
}

SELECTORS = tuple(f"{key} in ({','.join(values)})" for key, values in _LABELS.items())
"""One for each label."""


def is_controller(item: Item) -> bool:
    """True for a pod of the controller that has not ended."""
    labels = it.labels(item)
    is_named = any(labels.get(key) in values for key, values in _LABELS.items())
    return is_named and not pod.is_over(item)


def version(item: Item) -> server.Version | None:
    """The version in the tag of its image; None for a digest, as on OpenShift."""
    containers = it.sequence(item, "spec", "containers")
    found = (server.of_image(it.text(one, "image")) for one in containers)
    return next(filter(None, found), None)
