"""Facts about a machine of a backup, by their subjects; `problems` makes problems of them.

A fact is a function of a `Case` that yields the names that it is about.
"""
