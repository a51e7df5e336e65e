"""Backup actions: called for each selected item before the item goes into the archive."""
