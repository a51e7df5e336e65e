"""Velero's rules, in one place, each with the file of Velero that has it; nothing is read here."""
