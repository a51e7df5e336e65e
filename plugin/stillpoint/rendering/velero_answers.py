"""The choices for a Velero."""

from collections.abc import Mapping
from dataclasses import dataclass

from stillpoint.rendering.location import Location
from stillpoint.rendering.text import scalar

VELERO_IMAGE = "velero/velero:v1.18.3"
"""The version that the tests run."""

_PROVIDER_IMAGES = {
    "aws": "velero/velero-plugin-for-aws:v1.14.2",
    "gcp": "velero/velero-plugin-for-gcp:v1.14.2",
    "azure": "velero/velero-plugin-for-microsoft-azure:v1.14.2",
}
"""Those for Velero 1.18: see `matrix.PROVIDER_PLUGINS`."""

_SECRET = "cloud-credentials"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class Answers:
    """The choices for a Velero.

    Attributes:
        image: of stillpoint.
        node_selector: labels of nodes for node agents; empty for all nodes.
        velero_image: empty for the one of Velero's makers, as is `provider_image`.
    """

    namespace: str
    image: str
    location: Location
    moves_data: bool
    node_selector: Mapping[str, str]
    velero_image: str = ""
    provider_image: str = ""

    @property
    def secret(self) -> str:
        """Name of the Secret with the credentials."""
        return self.location.secret or _SECRET

    @property
    def image_of_velero(self) -> str:
        """The image of the server and of node agents."""
        return scalar(self.velero_image or VELERO_IMAGE)

    @property
    def image_of_provider(self) -> str:
        """The image of the plugin that speaks to the object store."""
        return scalar(self.provider_image or _PROVIDER_IMAGES[self.location.plugin])

    @property
    def place(self) -> str:
        """Namespace and labels of an object of Velero, for its metadata."""
        return f"  namespace: {scalar(self.namespace)}\n  labels:\n    component: velero"
