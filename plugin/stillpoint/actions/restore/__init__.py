"""Restore actions: called for each item of the archive before it is created."""
