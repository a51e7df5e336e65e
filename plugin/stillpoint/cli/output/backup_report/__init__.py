"""The report on a backup, in each form."""
