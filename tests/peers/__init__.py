"""The real programs that the product meets in tests, built from their published sources."""
