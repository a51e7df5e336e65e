"""The configuration, read strictly, with its kinds and instances."""
