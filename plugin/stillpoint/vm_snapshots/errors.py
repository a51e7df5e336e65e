"""Errors of work with KubeVirt's snapshots.

StillpointError (stillpoint.model.errors)
├── NoSuchObject           a machine, a snapshot or a restore that was named does not exist
├── WrongRequest           an option has a value that KubeVirt, or the machine, does not allow
└── NotMade                the cluster did not make, or did not delete, an object
"""

from stillpoint.model.errors import StillpointError


class NoSuchObject(StillpointError):
    """A name that the user gave fits nothing."""


class WrongRequest(StillpointError):
    """The request itself is wrong, whatever the cluster holds."""


class NotMade(StillpointError):
    """The object exists already, or the cluster refused the request."""
