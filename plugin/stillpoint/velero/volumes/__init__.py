"""Data of volumes: policies, its fate, snapshot classes, and the way back to a claim."""
