"""Rights for a Velero that is not cluster-admin."""

from collections.abc import Iterable

from stillpoint.check.rights import EVIDENCE, GROUPS, NEEDED, SECRETS, THAW, Right
from stillpoint.rendering.text import flow, scalar

_ROLES = {
    "stillpoint": "",
    SECRETS: """\
# Optional: whether a Secret that a machine needs is there, at a restore. Of Secrets the plugin asks
# for the metadata alone, but RBAC cannot give less than all of a Secret.
""",
    THAW: """\
# Optional: a guest is thawed as soon as the plugin has its last snapshot. Without this part it
# stands still until Velero's hook thaws it.
""",
    GROUPS: """\
# Optional: group snapshots, where a volume policy has group: true. Without this part the disks of a
# guest are taken side by side, and the backup warns.
""",
    EVIDENCE: """\
# Optional: evidence of how consistent each disk is, made of logs of guests and of who else freezes
# them. Without a right of this part that proof is missing.
""",
}
"""Cluster roles, each with a comment."""

_ROLES_OF_VELERO = {
    "stillpoint": "# Velero's own objects: backups, and the downloads of its data mover.\n",
    EVIDENCE: """\
# Optional: the secret of a backup, with which its evidence is sealed. Without this part the seal is
# made with the Backup's uid, which Velero's own group snapshots show to tenants.
""",
}
"""Roles in the namespace of Velero, each with a comment."""


def manifest(namespace: str, account: str) -> str:
    """Roles and bindings; those that are optional are apart."""
    parts = []
    for role, note in _ROLES.items():
        of_role = (one for one in NEEDED if one.role == role and not one.is_of_velero)
        parts.append(note + _cluster_role(role, of_role))
        parts.append(_binding("ClusterRole", role, "", namespace, account))
    for role, note in _ROLES_OF_VELERO.items():
        of_role = (one for one in NEEDED if one.role == role and one.is_of_velero)
        parts.append(note + _role(role, namespace, of_role))
        parts.append(_binding("Role", role, namespace, namespace, account))
    heading = (
        "# The rights that stillpoint needs, for a Velero that is not cluster-admin: it runs in\n"
        "# Velero's pod, as Velero's service account. What Velero itself needs is not in here.\n"
    )
    return heading + "---\n".join(parts)


def _cluster_role(name: str, rights: Iterable[Right]) -> str:
    return _head("ClusterRole", name, "") + _rules(rights)


def _role(name: str, namespace: str, rights: Iterable[Right]) -> str:
    return _head("Role", name, namespace) + _rules(rights)


def _head(kind: str, name: str, namespace: str) -> str:
    place = f"  namespace: {scalar(namespace)}\n" if namespace else ""
    version = "rbac.authorization.k8s.io/v1"
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {scalar(name)}\n{place}"


def _rules(rights: Iterable[Right]) -> str:
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource), []).append(right.verb)
    rules = (
        f"  - apiGroups: {flow([group])}\n    resources: {flow([resource])}\n"
        f"    verbs: {flow(of_resource)}\n"
        for (group, resource), of_resource in verbs.items()
    )
    return "rules:\n" + "".join(rules)


def _binding(kind: str, role: str, namespace: str, of: str, account: str) -> str:
    return _head(f"{kind}Binding", role, namespace) + (
        f"roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {role}\n"
        f"subjects:\n  - kind: ServiceAccount\n    name: {scalar(account)}\n"
        f"    namespace: {scalar(of)}\n"
    )
