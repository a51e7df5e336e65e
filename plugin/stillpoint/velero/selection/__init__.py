"""Selection of objects: filters, patterns, label selectors, names of resources."""
