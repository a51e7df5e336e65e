"""The data of volumes: policies, fates, snapshot classes, and the way back to a claim."""
