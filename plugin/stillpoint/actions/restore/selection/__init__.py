"""Selection of a restore: which machines come back, with what, under which names."""
