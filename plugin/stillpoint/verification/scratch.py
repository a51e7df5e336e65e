"""The scratch namespace of one machine: empty, without network, and nothing can start in it yet."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.model.writer import Cluster

PREFIX = "stillpoint-verify-"
"""Of the name of every scratch namespace, and of its Restore, which has the same name."""

LABEL = "stillpoint.dev/verification"
"""Label of everything that a run creates in the cluster, with its id; but for the Restore."""

OF_RESTORE = "app.kubernetes.io/instance"
"""The same of the Restore: the plugin refuses one with a label of ours, which might be an order."""

MACHINE = "stillpoint.dev/verifies-machine"
BACKUP = "stillpoint.dev/verifies-backup"
LONGEST = "stillpoint.dev/verifies-for"
"""Annotations of a scratch namespace: `shop/db`, `velero/nightly`, and the longest that it is there
(`2700s`). No moment: the clock of the run may be wrong, and so may that of who finds it later."""

_SECONDS = re.compile("([0-9]{1,9})s")

QUOTA = Resource("", "v1", "resourcequotas", "ResourceQuota")
POLICY = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
OBJECT = "stillpoint-verify"
"""Name of the quota and the policy in the namespace."""

_INSTANCES = "count/virtualmachineinstances.kubevirt.io"
_SECURITY = "pod-security.kubernetes.io/"
_SECURITY_OF_OPENSHIFT = "security.openshift.io/scc.podSecurityLabelSync"


@dataclass(frozen=True, slots=True)
class Scratch:
    """A scratch namespace and the Restore into it.

    Attributes:
        name: of both.
        run: id of the run.
        velero: the namespace of the Restore.
    """

    name: str
    run: str
    velero: str

    @classmethod
    def new(cls, run: str, velero: str) -> "Scratch":
        """A name that nobody has, nor can guess."""
        return cls(PREFIX + secrets.token_hex(5), run, velero)

    def is_of_this(self, item: Item) -> bool:
        """True if a namespace, or a Restore, has the name and bears the label of the run."""
        label = LABEL if item.get("kind") == kinds.NAMESPACE.kind else OF_RESTORE
        return it.name(item) == self.name and it.labels(item).get(label) == self.run


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of a scratch namespace, and its end.

    Attributes:
        machine: `shop/db`.
        backup: `velero/nightly`.
        longest: from its creation until the run that made it has ended, whatever happens.
        labels: of the original namespace.
    """

    machine: str
    backup: str
    longest: timedelta
    labels: Item


def create(cluster: Cluster, scratch: Scratch, purpose: Purpose) -> Item:
    """Creates the namespace with its quota and its policy; the namespace as created.

    Raises:
        Refusal: somebody else has one of that name.
        ReadFailed: the cluster refused an object, or does not answer.
    """
    made = cluster.create(kinds.NAMESPACE, _namespace(scratch, purpose))
    if made is None:
        made = cluster.get(kinds.NAMESPACE, "", scratch.name)
        if made is None or not scratch.is_of_this(made):
            cause = "somebody else has created one of that name"
            raise Refusal(f"namespace {scratch.name}", "cannot create it", cause)
    cluster.create(QUOTA, _quota(scratch))
    cluster.create(POLICY, _policy(scratch))
    return made


def is_effective(quota: Item) -> bool:
    """True if the API server refuses every instance in the namespace."""
    return it.mapping(quota, "status", "hard").get(_INSTANCES) == "0"


def until(namespace: Item) -> datetime | None:
    """When a scratch namespace should be gone, by the API server's clock; None if unknown."""
    said = _SECONDS.fullmatch(it.text(namespace, "metadata", "annotations", LONGEST))
    created = it.creation_time(namespace)
    return created + timedelta(seconds=int(said[1])) if said and created else None


def _namespace(scratch: Scratch, purpose: Purpose) -> Item:
    security = {
        label: value
        for label, value in purpose.labels.items()
        if label.startswith(_SECURITY) or label == _SECURITY_OF_OPENSHIFT
    }
    longest = f"{int(purpose.longest.total_seconds())}s"
    annotations = {MACHINE: purpose.machine, BACKUP: purpose.backup, LONGEST: longest}
    labels = {**security, LABEL: scratch.run}
    metadata = {"name": scratch.name, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _quota(scratch: Scratch) -> Item:
    return {
        "apiVersion": "v1",
        "kind": QUOTA.kind,
        "metadata": _metadata(scratch),
        "spec": {"hard": {_INSTANCES: "0"}},
    }


def _policy(scratch: Scratch) -> Item:
    return {
        "apiVersion": f"{POLICY.group}/{POLICY.version}",
        "kind": POLICY.kind,
        "metadata": _metadata(scratch),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def _metadata(scratch: Scratch) -> Item:
    return {"name": OBJECT, "namespace": scratch.name, "labels": {LABEL: scratch.run}}
