"""Backup and restore of KubeVirt virtual machines, as a Velero plugin."""
