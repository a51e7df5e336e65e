"""The first boot of a copy: the steps of root that run before applications start."""
