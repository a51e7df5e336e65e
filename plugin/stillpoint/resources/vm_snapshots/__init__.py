"""KubeVirt's own snapshots of machines: snapshot, its content, restore and clone."""
