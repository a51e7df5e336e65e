"""Errors of downloads.

StillpointError (stillpoint.model.errors)
└── DownloadFailed         a file of a backup did not come
    └── Interrupted        the server broke off, or cannot serve now: a further try may go well
"""

from stillpoint.model.errors import StillpointError


class DownloadFailed(StillpointError):
    """A file of a backup was not received, or not wholly. Never names its signed URL."""


class Interrupted(DownloadFailed):
    """A try failed in a way that passes."""
