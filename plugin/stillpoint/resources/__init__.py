"""What the fields of each API kind mean: one kind a file, and the only place for field paths."""
