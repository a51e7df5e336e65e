"""Velero's calls of actions, from wherever they come: the wire, or a rehearsal in this process."""
