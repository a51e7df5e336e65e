"""Velero itself, where no operator installs it: objects, names and labels of `velero install`.

Source: pkg/install of Velero v1.18. Three things differ. The credentials are named by the location,
where the provider's plugin, the node agents and `stillpoint check` read which they are, and are
mounted nowhere. Node agents do not see the folders of their hosts: they copy no files of running
pods, and the pods that move data have the volume itself (`--node-agent-disable-host-path` there).
So the namespace needs no privileged pods. The server has memory for the plugin beside its own.
"""

import shlex

from stillpoint.rendering import secrets, velero_pods
from stillpoint.rendering.text import comment, fields, scalar
from stillpoint.rendering.velero_answers import Answers


def manifest(answers: Answers) -> str:
    """The manifests, with comments; the Secret is a command in one of them.

    Raises:
        StillpointError: an answer is missing.
    """
    parts = [
        _namespace(answers),
        _account(answers),
        _location(answers),
        velero_pods.server(answers),
    ]
    if answers.moves_data:
        parts += [velero_pods.node_agent_settings(answers), velero_pods.node_agent(answers)]
    return _heading(answers) + "---\n".join(parts)


def _heading(answers: Answers) -> str:
    namespace = answers.namespace
    create = secrets.create("kubectl", answers.secret, namespace, answers.location.key)
    password = secrets.about_password("kubectl", namespace, moves_data=answers.moves_data)
    return f"""\
# Velero 1.18 with stillpoint. First its custom resource definitions, by its own command:
#   velero install --crds-only
# Then this (`kubectl apply -f`), then the Secret with the credentials for the object store, from a
# file; nothing here has their values:
#   {create}
{password}# Then `stillpoint check -n {comment(shlex.quote(namespace))}`.
"""


def _namespace(answers: Answers) -> str:
    return f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: {scalar(answers.namespace)}
  labels:
    component: velero
    # pods that move data run as root, and as nothing more: no folder of a host, no privilege
    pod-security.kubernetes.io/enforce: baseline
    pod-security.kubernetes.io/warn: baseline
"""


def _account(answers: Answers) -> str:
    suffix = "" if answers.namespace == "velero" else f"-{answers.namespace}"
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: velero
{answers.place}
---
# Velero restores whatever a backup has, roles too, and so can do all. Whoever may create Backups
# and Restores in its namespace can do all through it: give nobody else that right. For a Velero
# with less, `stillpoint render rbac` writes what the plugin needs.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {scalar(f"velero{suffix}")}
  labels:
    component: velero
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: cluster-admin
subjects:
  - kind: ServiceAccount
    name: velero
    namespace: {scalar(answers.namespace)}
"""


def _location(answers: Answers) -> str:
    place = answers.location
    return f"""\
# There is no VolumeSnapshotLocation: it is for snapshots by a provider's own API. CSI snapshots
# take a VolumeSnapshotClass for each driver; where there are several, one with the label
# velero.io/csi-volumesnapshot-class: "true".
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata:
  name: default
{answers.place}
spec:
  provider: {scalar(place.plugin)}
  # for each Backup and Schedule that names no other
  default: true
  credential:
    name: {scalar(answers.secret)}
    key: {scalar(place.key)}
  objectStorage:
    bucket: {scalar(place.bucket)}
    # a folder of its own: Velero takes what is in it for its own backups
    prefix: {scalar(place.prefix)}
  config: {fields(place.config())}
"""
