"""Discovery of the API in two requests instead of one per group.

Source: "Aggregated discovery" in the API concepts of Kubernetes; on by default since v1.27.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import orjson

from stillpoint.cluster.api_request import CREDENTIALS_HINT, ApiResponse
from stillpoint.model import item as it
from stillpoint.model.api_resources import Served
from stillpoint.model.errors import Forbidden, MalformedItem, NoResponse, ReadFailed, Unreachable
from stillpoint.model.item import Item

PATHS = ("/api", "/apis")
_KIND = "APIGroupDiscoveryList"
_VERBS = {"list", "get", "create", "delete"}
"""Velero collects what has all of these (pkg/discovery/helper.go of v1.18)."""


@dataclass(frozen=True, slots=True)
class DiscoveryRequest:
    """A GET of `/api` or `/apis`."""

    path: str
    expires: float
    verb: ClassVar[str] = "get"
    body: ClassVar[bytes] = b""
    method: ClassVar[str] = "GET"
    content_type: ClassVar[str] = ""
    accept: ClassVar[str] = (
        f"application/json;g=apidiscovery.k8s.io;v=v2;as={_KIND},application/json"
    )

    def unreachable(self, cause: str, hint: str = "") -> Unreachable:
        """See `Question.unanswered`."""
        return Unreachable("the cluster", "cannot discover its resources", cause, hint)

    def no_response(self, cause: str, hint: str = "") -> NoResponse:
        """See `ApiRequest.no_response`."""
        return NoResponse("the cluster", "cannot discover its resources", cause, hint)

    def parse(self, response: ApiResponse) -> list[Served] | None:
        """Each resource once, by its preferred version; None if the server does not aggregate.

        Raises:
            ReadFailed: the response is a failure, or no discovery document.
        """
        if response.status in (401, 403):
            what = "cannot discover its resources"
            raise Forbidden("the cluster", what, response.message, CREDENTIALS_HINT)
        if response.status != 200:
            raise self.unreachable(response.message)
        try:
            document = orjson.loads(response.body)
            if document.get("kind") != _KIND:
                return None
            return [one for group in it.sequence(document, "items") for one in _of_group(group)]
        except (orjson.JSONDecodeError, AttributeError, MalformedItem) as error:
            raise self._no_document(error) from error

    def _no_document(self, error: Exception) -> ReadFailed:
        return self.unreachable(f"the response is no discovery document: {error}")


def _of_group(group: Item) -> Iterable[Served]:
    found: dict[str, Served] = {}
    for version in it.sequence(group, "versions"):  # the preferred one comes first
        name = it.text(version, "version")
        for resource in it.sequence(version, "resources"):
            plural = it.text(resource, "resource")
            if not set(it.texts(resource, "verbs")) >= _VERBS:
                continue
            if plural in found:
                found[plural] = found[plural]._replace(older=(*found[plural].older, name))
                continue
            found[plural] = Served(
                it.name(group),
                name,
                plural,
                it.text(resource, "responseKind", "kind"),
                it.text(resource, "scope") == "Namespaced",
                tuple(it.texts(resource, "shortNames")),
            )
    return found.values()
