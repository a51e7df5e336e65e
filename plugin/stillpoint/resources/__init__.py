"""The meaning of each API kind's fields: a file per kind, and the only place for their paths."""
