"""A Schedule of Velero."""

from collections.abc import Sequence
from dataclasses import dataclass

from stillpoint.rendering.text import flow, scalar

LEVELS = ("application", "filesystem", "crash")
"""Levels that can be demanded, best first."""

_REQUIRE = "stillpoint.dev/require"


@dataclass(frozen=True, slots=True)
class Answers:
    """The choices for a Schedule.

    Attributes:
        namespaces: whose machines are taken.
        policy: name of a ConfigMap with resource policies; empty for none.
        level: that backups of machines have to reach, one of `LEVELS`; empty for any.
    """

    namespace: str
    name: str
    namespaces: Sequence[str]
    cron: str
    ttl: str
    moves_data: bool
    policy: str
    level: str = ""


def manifest(answers: Answers) -> str:
    """The manifest, with comments."""
    policy = f"""
    # which snapshots the plugin takes: `stillpoint render policy`
    resourcePolicy:
      kind: configmap
      name: {scalar(answers.policy)}"""
    return f"""\
apiVersion: velero.io/v1
kind: Schedule
metadata:
  name: {scalar(answers.name)}
  # of Velero, not of the machines
  namespace: {scalar(answers.namespace)}{_annotations(answers)}
spec:
  # in the time zone of Velero's pod, UTC as a rule
  schedule: {scalar(answers.cron)}
  template:
    # all of a namespace: machines, their disks, and what they need
    includedNamespaces: {flow(answers.namespaces)}{policy if answers.policy else ""}
    # {"data goes to the object store" if answers.moves_data else "snapshots stay in the storage"}
    snapshotMoveData: {str(answers.moves_data).lower()}
    # a file copy of a running machine's disk is no copy of one moment
    defaultVolumesToFsBackup: false
    # KubeVirt thaws a guest by itself after five minutes: a later snapshot is in no frozen window
    csiSnapshotTimeout: 5m
    # how long each backup is kept
    ttl: {scalar(answers.ttl)}
"""


def _annotations(answers: Answers) -> str:
    """The level, where Velero finds it for each Backup.

    A template has labels alone: annotations of a Backup are those of the Schedule itself
    (`FromSchedule` in pkg/builder/backup_builder.go of Velero v1.18).
    """
    if not answers.level:
        return ""
    return f"""
  annotations:
    # the level that the disks of each machine have to reach. Velero copies it to each Backup; on a
    # namespace or a machine the same annotation goes before it
    {_REQUIRE}: {scalar(answers.level)}"""
