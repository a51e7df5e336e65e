"""Verifies a backup: restores its machines apart from everything that lives, and looks at them.

Writes to the cluster, in namespaces of its own and beside the Backup alone.
"""
