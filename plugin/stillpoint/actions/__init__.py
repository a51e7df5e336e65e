"""The work on each item: the folder is Velero's kind of action, the file is the resource.

A rule with a number ("rule 3.1") is in docs/rules.md.
"""
