"""The outputs about several backups of the same machines."""
