"""BackupStorageLocation (velero.io/v1): where backups are stored.

Source: pkg/apis/velero/v1/backupstoragelocation_types.go and
pkg/controller/backup_storage_location_controller.go of Velero v1.18; keys of `config` are those of
velero-plugin-for-aws and velero-plugin-for-microsoft-azure.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from stillpoint.model import duration
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.velero import own_objects

RESOURCE = own_objects.STORAGE_LOCATION

DEFAULT_FREQUENCY = timedelta(minutes=1)
"""Time between two validations, unless location or server say otherwise."""


class Key(NamedTuple):
    """A key of a Secret."""

    secret: str
    key: str


def provider(location: Item) -> str:
    """`aws`, without the prefix that Velero adds where there is none."""
    return it.text(location, "spec", "provider").removeprefix("velero.io/")


def configuration(location: Item) -> Mapping[str, str]:
    """Settings of the provider's plugin."""
    return it.mapping(location, "spec", "config")


def bucket(location: Item) -> str:
    """Name of the bucket or container; empty if none is named."""
    return it.text(location, "spec", "objectStorage", "bucket")


def prefix(location: Item) -> str:
    """The folder in the bucket, without slashes at its ends; empty for the whole bucket."""
    return it.text(location, "spec", "objectStorage", "prefix").strip("/")


def keys(location: Item) -> Iterator[Key]:
    """Keys of Secrets beside the location that Velero reads for it."""
    for path in (("credential",), ("objectStorage", "caCertRef")):
        if named := it.mapping(location, "spec", *path):
            yield Key(it.text(named, "name"), it.text(named, "key"))


def has_two_authorities(location: Item) -> bool:
    """True if a CA is given in two ways: Velero refuses that."""
    storage = it.mapping(location, "spec", "objectStorage")
    return bool(storage.get("caCert")) and storage.get("caCertRef") is not None


def authority(location: Item) -> str:
    """Certificates in PEM of `caCert`, by which the server of the store is known; may be empty.

    Raises:
        MalformedItem: the field has no base64, as bytes have in JSON.
    """
    path = ("spec", "objectStorage", "caCert")
    encoded = it.text(location, *path)
    try:
        return base64.b64decode(encoded, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError) as error:
        field = ".".join(path)
        raise MalformedItem(it.describe(location), field, "base64", encoded) from error


def authority_key(location: Item) -> Key | None:
    """The key of a Secret with these certificates, `caCertRef`; None if the location names none."""
    named = it.mapping(location, "spec", "objectStorage", "caCertRef")
    return Key(it.text(named, "name"), it.text(named, "key")) if named else None


def is_default(location: Item) -> bool:
    """True if backups without a location go there."""
    return it.flag(location, "spec", "default")


def is_read_only(location: Item) -> bool:
    """True if Velero stores nothing there."""
    return it.text(location, "spec", "accessMode") == "ReadOnly"


def phase(location: Item) -> str:
    """`Available` or `Unavailable` as of the last validation; empty before the first."""
    return it.text(location, "status", "phase") if validated(location) else ""


def message(location: Item) -> str:
    """Velero's reason why the location is not available."""
    return it.text(location, "status", "message")


def validated(location: Item) -> datetime | None:
    """Time of the last validation; None if there was none."""
    return it.time(location, "status", "lastValidationTime")


def frequency(location: Item) -> timedelta | None:
    """Time between two validations; None if the location does not say. Zero: never."""
    return duration.parse(it.text(location, "spec", "validationFrequency"))


def has_own_credential(location: Item) -> bool:
    """True if the location names a Secret with its credentials."""
    named = it.mapping(location, "spec", "credential")
    return bool(named) or "credentialsFile" in configuration(location)


def missing_settings(location: Item) -> Iterator[str]:
    """Settings that the provider's plugin, or OADP, asks for and that are not there."""
    settings = configuration(location)
    if provider(location) == "azure":
        yield from (key for key in ("resourceGroup", "storageAccount") if not settings.get(key))
    is_path_style = settings.get("s3ForcePathStyle") == "true" or "s3Url" in settings
    if provider(location) == "aws" and is_path_style and not settings.get("region"):
        yield "region"
