"""The place for backups: provider, bucket, credentials."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

S3 = "s3"
"""Any store that speaks S3: AWS's plugin, by its URL."""

PROVIDERS = ("aws", "gcp", "azure", S3)
_SECRETS = {"gcp": "cloud-credentials-gcp", "azure": "cloud-credentials-azure"}
_NEEDED = {
    S3: (("s3_url", "--s3-url"), ("region", "--region")),
    "azure": (("resource_group", "--resource-group"), ("storage_account", "--storage-account")),
    "aws": (("region", "--region"),),
    "gcp": (),
}


@dataclass(frozen=True, slots=True)
class Location:
    """The answers about a place for backups.

    Attributes:
        settings: of the provider, by the names of `_NEEDED`; empty ones are not given.
        secret: empty for the name that OADP looks for.
    """

    provider: str
    bucket: str
    prefix: str
    settings: dict[str, str] = field(default_factory=dict)
    secret: str = ""
    key: str = "cloud"

    @property
    def plugin(self) -> str:
        """The provider in the words of Velero and OADP."""
        return "aws" if self.provider == S3 else self.provider

    @property
    def secret_name(self) -> str:
        """The Secret with the credentials."""
        return self.secret or _SECRETS.get(self.provider, "cloud-credentials")

    @property
    def missing(self) -> Sequence[str]:
        """Options that the provider needs and nobody gave."""
        return [flag for name, flag in _NEEDED[self.provider] if not self.settings.get(name)]

    def config(self) -> dict[str, str]:
        """Settings for the provider's plugin; none of those that it needs is missing."""
        return dict(self._config())

    def _config(self) -> Iterator[tuple[str, str]]:
        given = self.settings
        if self.provider in ("aws", S3):
            yield "region", given["region"]
        if self.provider == S3:
            yield "s3ForcePathStyle", "true"
            yield "s3Url", given["s3_url"]
        if self.provider == "azure":
            yield "resourceGroup", given["resource_group"]
            yield "storageAccount", given["storage_account"]


def about_moving(*, moves_data: bool) -> str:
    """Comment on where the data of snapshots is."""
    if moves_data:
        return "data goes to the object store; else snapshots stay in the storage of this cluster"
    return "snapshots stay in the storage of this cluster, and are lost with it"
