"""Quiesces the applications of a Linux guest while snapshots of its disks are taken.

Runs inside guests of all ages: the standard library only, Python 3.6 and newer.
"""

__version__ = "0.1.0"
