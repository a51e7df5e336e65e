"""The files of a backup: where they lie, and how they are read without trusting them."""
