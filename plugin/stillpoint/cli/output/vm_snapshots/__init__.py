"""KubeVirt's own snapshots, their restores, clones and removals, as the command prints them."""
