"""The DataProtectionApplication of OADP."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from stillpoint.rendering import secrets
from stillpoint.rendering.location import Location, about_moving
from stillpoint.rendering.text import comment, fields, flow, scalar


@dataclass(frozen=True, slots=True)
class Answers:
    """The choices for a DataProtectionApplication.

    Attributes:
        image: of stillpoint.
        node_selector: labels of nodes for node agents; empty for all nodes.
    """

    namespace: str
    name: str
    image: str
    location: Location
    moves_data: bool
    node_selector: Mapping[str, str]


def manifest(answers: Answers) -> str:
    """The manifest, with comments; the Secret is a command in one of them.

    Raises:
        StillpointError: an answer is missing.
    """
    place = answers.location
    config = place.config()
    namespace = scalar(answers.namespace)
    create = secrets.create("oc", place.secret_name, answers.namespace, place.key)
    password = secrets.about_password("oc", answers.namespace, moves_data=answers.moves_data)
    return f"""\
# First the Secret with the credentials for the object store, from a file:
#   {create}
{password}# Then this, then `stillpoint check -n {comment(shlex.quote(answers.namespace))}`.
apiVersion: oadp.openshift.io/v1alpha1
kind: DataProtectionApplication
metadata:
  name: {scalar(answers.name)}
  # the namespace of the operator: Velero runs there, with the Secret beside it
  namespace: {namespace}
spec:
  # images of OpenShift's registry are not backed up; with them each location needs a prefix
  backupImages: false
  configuration:
    velero:
      # openshift: adapts what is restored to OpenShift. csi: switches snapshots of CSI on. The
      # last one speaks to the object store. Not kubevirt, whose place stillpoint takes.
      defaultPlugins: {flow(["openshift", "csi", place.plugin])}
      customPlugins:
        - name: stillpoint
          image: {scalar(answers.image)}
      # {about_moving(moves_data=answers.moves_data)}
      defaultSnapshotMoveData: {str(answers.moves_data).lower()}
      # how long Velero waits for objects such as repositories and contents of snapshots
      resourceTimeout: 10m
      podConfig:
        env:
          # Velero 1.18.1 and newer: looks for a snapshot each second at first, so that a guest is
          # frozen for less time; older ones do not know it
          - name: CSI_SNAPSHOT_EARLY_FREQUENT_POLLING
            value: "true"
    nodeAgent:
      # moves the data of snapshots, and so runs on nodes that can mount the disks
      enable: {str(answers.moves_data).lower()}
      uploaderType: kopia
      restorePVC:
        # data is restored before a machine starts, also where storage waits for the first consumer
        ignoreDelayBinding: true{_node_selector(answers)}
  backupLocations:
    - name: default
      velero:
        provider: {scalar(place.plugin)}
        default: true
        credential:
          name: {scalar(place.secret_name)}
          key: {scalar(place.key)}
        objectStorage:
          bucket: {scalar(place.bucket)}
          # a folder of its own: Velero takes what is in it for its own backups
          prefix: {scalar(place.prefix)}
        config: {fields(config)}
"""


def _node_selector(answers: Answers) -> str:
    if not answers.node_selector:
        return ""
    labels = fields(answers.node_selector)
    return f"\n      podConfig:\n        nodeSelector: {labels}"
