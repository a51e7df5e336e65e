"""Starting, bounding and ending programs; accounts and open files."""
