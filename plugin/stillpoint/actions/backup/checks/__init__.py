"""Checks of a backup: a guest that could not be frozen, a disk whose data is not saved."""
