"""Whom a download trusts to be the object store, as the velero command decides it.

Source: pkg/cmd/util/cacert and pkg/cmd/util/downloadrequest of Velero v1.18.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from stillpoint.downloads.errors import DownloadFailed
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.installation import storage_location

ReadSecret = Callable[[str, str, str], bytes | None]
"""The value of a Secret's key, by namespace, name and key; None if there is none."""

_ATTEMPT = "cannot trust its server"
CA_HINT = "give the certificate of the authority of the object store with --cacert FILE"


@dataclass(frozen=True, slots=True)
class Trust:
    """Certificates that count.

    Attributes:
        authorities: in PEM, besides those of this system.
        verifies: false if any certificate is taken, which lets anybody between here and the object
            store read and change the backup.
    """

    authorities: str = ""
    verifies: bool = True

    def context(self, subject: str) -> ssl.SSLContext:
        """The settings of TLS.

        Raises:
            DownloadFailed: the authorities are no certificates.
        """
        context = ssl.create_default_context()
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.authorities:
            try:
                context.load_verify_locations(cadata=self.authorities)
            except (ssl.SSLError, ValueError) as error:
                cause = "the given authority is no certificate in PEM"
                raise DownloadFailed(subject, _ATTEMPT, cause, CA_HINT) from error
        return context


def of_location(location: Item, read_secret: ReadSecret) -> Trust:
    """Trust in the authority that the location names, if it does.

    Raises:
        DownloadFailed: what it names does not exist.
        MalformedItem: what it has is no base64.
        ReadFailed: the Secret that it names cannot be read.
    """
    key = storage_location.authority_key(location)
    if key is None:
        return Trust(storage_location.authority(location))
    found = read_secret(it.namespace(location), *key)
    if not found:
        cause = f"Secret {it.namespace(location)}/{key.secret} of its caCertRef has no {key.key}"
        raise DownloadFailed(it.describe(location), _ATTEMPT, cause, CA_HINT)
    return Trust(found.decode(errors="replace"))
