"""The files that Velero keeps of one backup, wherever they lie.

Source: pkg/apis/velero/v1/download_request_types.go and pkg/persistence/object_store_layout.go of
Velero v1.18.
"""

from enum import StrEnum
from typing import IO, Protocol

from stillpoint.model.item import Item


class Kind(StrEnum):
    """A file of a backup: the value is the kind in a DownloadRequest."""

    CONTENTS = "BackupContents"
    """The archive, a tar file in gzip."""
    VOLUMES = "BackupVolumeInfos"
    OPERATIONS = "BackupItemOperations"
    LOG = "BackupLog"
    RESTORE_RESULTS = "RestoreResults"
    """Errors and warnings of a Restore from it."""


class Files(Protocol):
    """The files of one backup."""

    @property
    def name(self) -> str:
        """Name of the backup."""

    @property
    def origin(self) -> str:
        """Where they lie, in words: `folder backups/nightly`."""

    def backup(self) -> Item | None:
        """The Backup object; None if it is not among the files.

        Raises:
            StillpointError: it cannot be read.
        """

    def open(self, kind: Kind) -> IO[bytes] | None:
        """The bytes of a file as Velero stores them, in gzip; None if there is no such file.

        The caller closes it. It can be read from its start a second time (`seek(0)`).

        Raises:
            StillpointError: the file cannot be read; also a read of the stream.
        """
