"""ClusterRoleBinding (rbac.authorization.k8s.io/v1): accounts with all rights."""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding")

_ALL = "cluster-admin"


def administrators(binding: Item) -> Iterator[tuple[str, str]]:
    """Namespace and name of each service account that the binding makes cluster-admin."""
    if it.text(binding, "roleRef", "name") == _ALL:
        for subject in it.sequence(binding, "subjects"):
            if it.text(subject, "kind") == "ServiceAccount":
                yield it.text(subject, "namespace"), it.text(subject, "name")
