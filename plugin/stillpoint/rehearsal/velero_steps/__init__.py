"""What Velero does for a backup and a restore, done without writing anything."""
