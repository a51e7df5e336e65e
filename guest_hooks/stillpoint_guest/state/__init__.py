"""State that outlives a process: the freeze record on the disk, the rest in /run."""
