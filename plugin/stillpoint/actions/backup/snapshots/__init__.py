"""Snapshots that the plugin takes itself, where a Backup leaves volumes to it."""
