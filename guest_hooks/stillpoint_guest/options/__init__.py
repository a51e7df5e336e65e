"""The configuration, read strictly, and the kinds and instances that it is about."""
