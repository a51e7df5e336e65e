"""What `make release` makes for admins, and what it refuses."""
