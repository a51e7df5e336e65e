"""The files of a backup, downloaded when they are asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from stillpoint.downloads.requests import DownloadRequests
from stillpoint.downloads.transfer import Transfer
from stillpoint.model.item import Item
from stillpoint.velero import own_objects

Report = Callable[[int, int, str], None]
"""Takes how far a download is, in MiB, and the file."""

_MIB = 1024 * 1024
_MOST_BYTES = 256 * _MIB
_MOST_BYTES_OF: Mapping[str, int] = {"BackupContents": 8192 * _MIB, "BackupLog": 2048 * _MIB}
"""As stored: many times what the etcd of a cluster can hold."""


@dataclass(frozen=True, slots=True)
class DownloadedFiles:
    """The files of a backup in the cluster: a `Files` of the room of reports.

    Attributes:
        name: of the backup.
        transfer: made for the first file: where its server cannot be trusted, other backups can
            be read all the same.
    """

    name: str
    requests: DownloadRequests
    transfer: Callable[[], Transfer]
    report: Report

    @property
    def origin(self) -> str:
        """The backup's place in words."""
        return f"backup {self.requests.namespace}/{self.name}"

    def backup(self) -> Item | None:
        """The Backup; None if there is none.

        Raises:
            ReadFailed: the cluster does not answer.
        """
        cluster, namespace = self.requests.cluster, self.requests.namespace
        return cluster.get(own_objects.BACKUP, namespace, self.name)

    def open(self, kind: str) -> BinaryIO | None:
        """A file, in gzip as Velero stores it; None if there is none.

        Args:
            kind: of the file in a DownloadRequest, for instance `BackupContents`.

        Raises:
            DownloadFailed: it did not come.
            ReadFailed: the cluster does not answer.
        """
        found = self.transfer().fetch(
            lambda: self.requests.signed_url(self.name, kind),
            _MOST_BYTES_OF.get(kind, _MOST_BYTES),
            lambda done, whole: self.report(done // _MIB, whole // _MIB, f"MiB of {kind}"),
        )
        return found.file if found else None
