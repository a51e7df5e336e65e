"""Brings the applications of a Linux guest to rest while its disks are cut.

Runs inside guests of all ages: the standard library only, Python 3.6 and newer.
"""

__version__ = "0.1.0"
