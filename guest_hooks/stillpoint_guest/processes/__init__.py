"""Starting, bounding and ending programs; who runs, who listens, accounts and open files."""
