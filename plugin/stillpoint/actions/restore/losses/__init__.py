"""Losses of a restore: disks without their data, and objects that machines need and miss."""
