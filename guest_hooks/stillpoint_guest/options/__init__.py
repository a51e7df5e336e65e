"""The configuration, read strictly."""
