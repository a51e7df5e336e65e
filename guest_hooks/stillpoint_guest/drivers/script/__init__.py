"""Scripts of the administrator, and pairs of them that Azure's agent knows."""
