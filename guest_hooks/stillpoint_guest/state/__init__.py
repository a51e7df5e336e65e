"""What outlives a process: freeze record on the disk, hold marker and undo journal in /run."""
