"""KubeVirt's own snapshots of machines: what one would hold, what one holds, and how it is made."""
