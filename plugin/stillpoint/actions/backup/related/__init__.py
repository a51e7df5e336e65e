"""Additional items of a backup: the objects that a machine is made of."""
