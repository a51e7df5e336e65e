"""Judges a finished backup: how consistent each machine in it is, and would it come back.

Read from the files that Velero keeps of a backup, wherever they lie: from the object store through
Velero, or from a folder. Nothing is written, and no cluster is needed.
"""
