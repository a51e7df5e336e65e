"""The account of `stillpoint verify`: its rights, and the fence around them.

Namespaces of a verification have names by chance, so roles can only give rights in all namespaces.
An admission policy takes back the changes that are outside, see `verify_fence`. What the account
reads in all namespaces nothing takes back: no policy is asked about reads.
"""

from stillpoint.rendering.text import scalar

NAME = "stillpoint-verify"


def manifest(namespace: str, account: str) -> str:
    """Service account, roles and bindings.

    Args:
        namespace: of Velero.
    """
    return "---\n".join(
        [part(namespace, account) for part in (_account, _everywhere, _at_home)]
        + [_binding(kind, namespace, account) for kind in ("ClusterRole", "Role")]
    )


def cluster_name(namespace: str, account: str) -> str:
    """The name of what is of the whole cluster: of another account, it has another one.

    No two accounts have the same: there is no dot in the name of a namespace.
    """
    return f"{account}.{namespace}"


HEAD = """\
# What `stillpoint verify` asks of the cluster. Whoever may create Restores there can do all that
# Velero can, and whoever may create DownloadRequests can read all of every backup: let nobody else
# use this account. The policy below keeps what it creates, changes and deletes within its own
# namespaces. It keeps back nothing that is READ, no policy can: in all namespaces this account sees
# virtualmachines (with what stands in them for cloud-init, passwords for instance),
# virtualmachineinstances, pods, pods/log (of any pod), persistentvolumeclaims, resourcequotas; of
# the whole cluster namespaces, persistentvolumes, volumesnapshotcontents, storageclasses.
"""
"""The comment before all of it, fence included."""


def _account(namespace: str, account: str) -> str:
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {scalar(account)}
  # of Velero: `openshift-adp` with OADP, `velero` as upstream installs it
  namespace: {scalar(namespace)}
"""


def _everywhere(namespace: str, account: str) -> str:
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {scalar(cluster_name(namespace, account))}
rules:
  # a namespace of its own for each machine, stillpoint-verify-…; list: those that a killed run left
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get, list, watch, create, delete]
  # nothing goes out of it or comes in, and nothing starts in it before it was looked at
  - apiGroups: [networking.k8s.io]
    resources: [networkpolicies]
    verbs: [create]
  - apiGroups: [""]
    resources: [resourcequotas]
    verbs: [create, watch, delete]
  # patch: takes its interfaces off, and starts it. delete: without it, and that of claims and of
  # volumesnapshots below, its namespace goes all the same, ten seconds later
  - apiGroups: [kubevirt.io]
    resources: [virtualmachines]
    verbs: [get, list, watch, patch, delete]
  - apiGroups: [kubevirt.io]
    resources: [virtualmachineinstances]
    verbs: [watch]
  # what else came, and what the guest says on its console
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  - apiGroups: [""]
    resources: [pods/log]
    verbs: [get]
  - apiGroups: [""]
    resources: [persistentvolumeclaims]
    verbs: [list, watch, delete]
  # why a claim is not bound: its class may wait for the first pod
  - apiGroups: [storage.k8s.io]
    resources: [storageclasses]
    verbs: [get]
  # whether each disk is a new one. patch: a new one that its class would keep is deleted, too, and
  # one that may be another's is kept
  - apiGroups: [""]
    resources: [persistentvolumes]
    verbs: [list, patch]
  # those of the restore, which the namespace does not take along; snapshots stay in the storage
  - apiGroups: [snapshot.storage.k8s.io]
    resources: [volumesnapshotcontents]
    verbs: [get, list, delete]
  - apiGroups: [snapshot.storage.k8s.io]
    resources: [volumesnapshots]
    verbs: [delete]
"""


def _at_home(namespace: str, account: str) -> str:
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {scalar(account)}
  namespace: {scalar(namespace)}
rules:
  # patch: the annotation stillpoint.dev/verified, which says what was seen
  - apiGroups: [velero.io]
    resources: [backups]
    verbs: [get, list, patch]
  - apiGroups: [velero.io]
    resources: [backupstoragelocations]
    verbs: [get, list]
  - apiGroups: [velero.io]
    resources: [restores]
    verbs: [create, get, watch, delete]
  # where a data mover brings the bytes of disks: how far it is, and whether it has cleared up
  - apiGroups: [velero.io]
    resources: [datadownloads]
    verbs: [get, list, watch]
  # the signed URL of a file; the request is deleted when the file is there
  - apiGroups: [velero.io]
    resources: [downloadrequests]
    verbs: [create, watch, delete]
  # where a BackupStorageLocation names its authority by caCertRef: that Secret alone
  - apiGroups: [""]
    resources: [secrets]
    resourceNames: [s3-authority]
    verbs: [get]
"""


def _binding(kind: str, namespace: str, account: str) -> str:
    is_home = kind == "Role"
    place = f"  namespace: {scalar(namespace)}\n" if is_home else ""
    name = scalar(account if is_home else cluster_name(namespace, account))
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: {kind}Binding
metadata:
  name: {name}
{place}roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {kind}
  name: {name}
subjects:
  - kind: ServiceAccount
    name: {scalar(account)}
    namespace: {scalar(namespace)}
"""
