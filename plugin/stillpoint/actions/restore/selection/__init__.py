"""The selection of a restore: machines that come back, with their parts, under which names."""
