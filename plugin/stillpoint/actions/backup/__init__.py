"""Backup actions: called for each selected item before it goes into the archive."""
