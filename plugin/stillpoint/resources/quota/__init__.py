"""Limits of a namespace, and the amounts that count against them."""
