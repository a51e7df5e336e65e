"""Resource policies for Velero: a ConfigMap beside its Backups."""

from collections.abc import Sequence

from stillpoint.rendering.text import scalar


def manifest(namespace: str, name: str, drivers: Sequence[str], *, is_grouped: bool) -> str:
    """The manifest: snapshots of these drivers, or of every CSI driver, are the plugin's.

    Args:
        drivers: empty for all.
        is_grouped: the disks of a guest are to be group snapshots.
    """
    group = "            group: true\n" if is_grouped else ""
    conditions = [f"csi: {{driver: {scalar(driver)}}}" for driver in drivers] or ["csi: {}"]
    policies = "".join(
        f"""\
      - conditions:
          {condition}
        action:
          type: custom
          parameters:
            snapshotter: stillpoint
{group}"""
        for condition in conditions
    )
    return f"""\
# All disks of a machine in one short freeze: the plugin takes the snapshots, and not Velero. For
# Velero 1.18 and newer; older ones refuse it, there annotate the Schedule instead
# (docs/install/backup.yaml).
apiVersion: v1
kind: ConfigMap
metadata:
  name: {scalar(name)}
  namespace: {scalar(namespace)}
data:
  # one key, whatever its name
  policies.yaml: |
    version: v1
    volumePolicies:
      # The first policy whose conditions all hold decides. A driver is named in full: "*" matches
      # none.
{policies}"""
