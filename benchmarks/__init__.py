"""Figures of the README: ratios of one run, against Velero's Go framework or a run without us."""
