"""The meaning of each API kind's fields: one kind a file, and the only place for their paths."""
