"""Changes that a restore makes to items, and to created objects."""
