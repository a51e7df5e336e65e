"""The account of verifications in the cluster, as `stillpoint render verify --rights` writes it."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from stillpoint.rendering import verify
from stillpoint.rendering.verify_rights import NAME
from tests.cluster.api import Api, ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import is_allowed, wait_until, wait_until_allowed
from tests.cluster.velero import NAMESPACE


def give(cluster: Cluster) -> Path:
    """Makes the account, unless it is there, and returns a kubeconfig of it."""
    connect(cluster).close()
    return cluster.control_plane.kubeconfig(NAME)


def connect(cluster: Cluster, velero: str = NAMESPACE, *, is_privileged: bool = False) -> Api:
    """The API server as the account for a Velero, which is made unless it is there."""
    for made in yaml.safe_load_all(verify.rights(velero, is_privileged=is_privileged)):
        create_once(cluster.api, made)
    path = cluster.api.path("v1", "ServiceAccount", velero, NAME)
    spec = {"spec": {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": 7200}}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **spec}
    token = cluster.api.request("POST", f"{path}/token", request)["status"]["token"]
    user = NAME if velero == NAMESPACE else f"{NAME}.{velero}"
    cluster.control_plane.tokens[user] = token
    wait_until_allowed(cluster.api, f"{velero}/{NAME}", "create", "namespaces")
    wait_until_allowed(cluster.api, f"{velero}/{NAME}", "create", "restores.velero.io", velero)
    api = cluster.control_plane.api(user)
    wait_until(lambda: is_fenced(api), "the fence is in effect")
    return api


@contextmanager
def without(cluster: Cluster, verb: str, resource: str) -> Iterator[None]:
    """Meanwhile the account has lost a right in all namespaces.

    Args:
        resource: `plural.group`.
    """
    role = ("rbac.authorization.k8s.io/v1", "ClusterRole", None, f"{NAME}.{NAMESPACE}")
    rules = cluster.api.get(*role)["rules"]
    less = copy.deepcopy(rules)
    for rule in less:
        if resource.partition(".")[0] in rule["resources"]:
            rule["verbs"] = [one for one in rule["verbs"] if one != verb]
    cluster.api.patch(*role, {"rules": [rule for rule in less if rule["verbs"]]})
    try:
        account = f"{NAMESPACE}/{NAME}"
        wait_until(
            lambda: not is_allowed(cluster.api, account, verb, resource), f"it may not {verb}"
        )
        yield
    finally:
        cluster.api.patch(*role, {"rules": rules})
        wait_until_allowed(cluster.api, account, verb, resource)


def create_once(api: Api, manifest: Object) -> None:
    try:
        api.create(manifest)
    except ApiError as error:
        if error.status != 409:
            raise


def is_fenced(api: Api) -> bool:
    """True if the API server refuses the account a namespace without our label."""
    metadata = {"name": "stillpoint-verify-outside"}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    try:
        api.request("POST", f"{api.path('v1', 'Namespace')}?dryRun=All", made)
    except ApiError as error:
        return "is no namespace of a verification" in str(error)
    return False
