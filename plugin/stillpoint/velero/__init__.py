"""Velero's rules, in a single place, each with the file of Velero that has it; no I/O."""
