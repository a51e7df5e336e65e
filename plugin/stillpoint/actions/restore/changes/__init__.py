"""Changes that a restore makes to items, and to what it has created."""
