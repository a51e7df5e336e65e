"""Text and JSON for standard output and standard error."""
