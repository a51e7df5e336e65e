"""Restore actions: called for each item of the archive before the item is created."""
