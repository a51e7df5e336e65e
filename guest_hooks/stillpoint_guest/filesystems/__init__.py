"""Mounts, what a freeze of them holds, and freezing them ourselves."""
