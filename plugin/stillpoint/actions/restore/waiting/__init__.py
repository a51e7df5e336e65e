"""The waiting of a restore: for its target, for disks, for guests, for pools."""
