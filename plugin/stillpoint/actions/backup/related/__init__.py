"""Additional items of a backup: the objects that make up a machine."""
