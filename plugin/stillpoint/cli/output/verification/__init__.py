"""The outcome of a verification of a backup, in each form."""
