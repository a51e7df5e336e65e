"""The authority of an object store, as a location names it."""

import base64
from typing import Any

import pytest

from stillpoint.downloads import trust
from stillpoint.downloads.errors import DownloadFailed
from stillpoint.downloads.trust import Trust
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item

PEM = "-----BEGIN CERTIFICATE-----\n"


def location(**storage: Any) -> Item:
    return {
        "apiVersion": "velero.io/v1",
        "kind": "BackupStorageLocation",
        "metadata": {"name": "default", "namespace": "velero"},
        "spec": {"objectStorage": {"bucket": "b", **storage}},
    }


def secret(namespace: str, name: str, key: str) -> bytes | None:
    return PEM.encode() if (namespace, name, key) == ("velero", "store-ca", "ca.pem") else None


def test_an_authority_stands_in_the_location_or_in_a_secret() -> None:
    assert trust.of_location(location(), secret) == Trust()
    inline = location(caCert=base64.b64encode(PEM.encode()).decode())
    assert trust.of_location(inline, secret) == Trust(PEM)
    referred = location(caCertRef={"name": "store-ca", "key": "ca.pem"})
    assert trust.of_location(referred, secret) == Trust(PEM)


@pytest.mark.parametrize("reference", [{"name": "other", "key": "ca.pem"}, {"name": "store-ca"}])
def test_an_authority_that_is_missing_is_not_left_out(reference: Item) -> None:
    with pytest.raises(DownloadFailed) as caught:
        trust.of_location(location(caCertRef=reference), secret)
    assert "--cacert" in caught.value.hint


def test_what_is_no_base64_or_no_certificate_is_refused() -> None:
    with pytest.raises(MalformedItem):
        trust.of_location(location(caCert="?"), secret)
    with pytest.raises(DownloadFailed, match="no certificate"):
        Trust("text").context("a file")


def test_every_certificate_counts_only_if_that_is_said() -> None:
    assert Trust().context("a file").check_hostname
    assert not Trust(verifies=False).context("a file").check_hostname
