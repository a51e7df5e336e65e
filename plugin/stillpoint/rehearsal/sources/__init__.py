"""Objects that a rehearsal is about: from manifests or from a live cluster."""
