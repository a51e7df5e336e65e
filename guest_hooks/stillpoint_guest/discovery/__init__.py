"""Finding the servers that run on this guest, and whether they are to be trusted."""
