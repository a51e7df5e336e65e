"""DownloadRequest (velero.io/v1): Velero's server answers one with a signed URL.

Source: pkg/controller/download_request_controller.go of Velero v1.14 to v1.18. Velero deletes a
request itself when its URL has expired; until then whoever may read it has the URL. It writes to a
request once for each try to answer it, with a time of expiration, also where it has no URL: and
where it could not reach its object store, it may never try again.
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from stillpoint.downloads.errors import DownloadFailed, Interrupted
from stillpoint.downloads.signed_url import SignedUrl
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.writer import Cluster
from stillpoint.velero import own_objects

RESOURCE = own_objects.DOWNLOAD_REQUEST
LABEL = "stillpoint.dev/download"

_HINT = (
    "look whether its server in namespace {namespace} runs, whether the BackupStorageLocation is "
    "Available, and at the server's log"
)

_log = logging.getLogger("stillpoint")


@dataclass(frozen=True, slots=True)
class DownloadRequests:
    """Makes DownloadRequests in the namespace of a Velero.

    Attributes:
        longest_s: the wait for Velero's answer; it takes a second where Velero runs.
    """

    cluster: Cluster
    namespace: str
    longest_s: float = 60.0

    @contextmanager
    def signed_url(self, backup: str, kind: str) -> Iterator[SignedUrl]:
        """The URL of a file of the backup, whether or not there is such a file.

        The request is deleted when the caller is done with it.

        Args:
            kind: of the file, for instance `BackupContents`.

        Raises:
            DownloadFailed: Velero does not answer.
            Interrupted: Velero has tried to, and could not: a new request may go well.
            ReadFailed: the cluster does not.
        """
        identifier = str(uuid.uuid4())
        made = self._made(backup, kind, identifier)
        subject = f"{kind} of backup {backup}"
        self._create(made)
        try:
            yield SignedUrl.parse(subject, self._await_url(subject, identifier, it.name(made)))
        finally:
            self._delete(it.name(made))

    def _create(self, made: Item) -> None:
        try:
            self.cluster.create(RESOURCE, made)
        except Forbidden:
            raise
        except BaseException:  # it may be there all the same
            self._delete(it.name(made))
            raise

    def _made(self, backup: str, kind: str, identifier: str) -> Item:
        metadata = {
            "name": f"stillpoint-{identifier}",
            "namespace": self.namespace,
            "labels": {LABEL: identifier},
        }
        return {
            "apiVersion": f"{RESOURCE.group}/{RESOURCE.version}",
            "kind": RESOURCE.kind,
            "metadata": metadata,
            "spec": {"target": {"kind": kind, "name": backup}},
        }

    def _await_url(self, subject: str, identifier: str, name: str) -> str:
        attempt, hint = "cannot download it", _HINT.format(namespace=self.namespace)
        labels = f"{LABEL}={identifier}"
        changes = self.cluster.changes(RESOURCE, self.namespace, labels, self.longest_s)
        with closing(changes):
            for change in changes:
                if it.name(change.item) != name:
                    continue
                if change.is_deleted:
                    raise DownloadFailed(subject, attempt, "its request was deleted")
                if url := it.text(change.item, "status", "downloadURL"):
                    return url
                if it.text(change.item, "status", "expiration"):
                    raise Interrupted(subject, attempt, "Velero could make no URL of it", hint)
        cause = f"Velero gave no URL within {self.longest_s:g} s"
        raise DownloadFailed(subject, attempt, cause, hint)

    def _delete(self, name: str) -> None:
        try:
            self.cluster.delete(RESOURCE, self.namespace, name)
        except ReadFailed as error:
            _log.warning("%s; Velero deletes it when its URL has expired, in ten minutes", error)
