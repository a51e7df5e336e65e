"""Disks: claims, DataVolumes, volumes, storage classes and snapshots."""
