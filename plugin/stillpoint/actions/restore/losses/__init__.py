"""Losses of a restore: disks without their data, and what a machine misses here."""
