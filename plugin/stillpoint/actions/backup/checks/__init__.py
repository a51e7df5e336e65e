"""Checks of a backup: guests that could not be frozen, disks whose data would not be saved."""
