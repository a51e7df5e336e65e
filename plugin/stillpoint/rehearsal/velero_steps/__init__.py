"""Velero's steps of a backup and a restore, done without writing anything."""
