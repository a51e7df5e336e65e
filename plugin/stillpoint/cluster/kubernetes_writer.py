"""The `Writer` of a live cluster: the reader's connection and errors, and four more verbs."""

from collections.abc import Mapping

import orjson

from stillpoint.cluster.api_request import ApiRequest
from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

_PUT_S = 5.0
"""A guest may stand still until the answer is there."""


class KubernetesWriter(KubernetesReader):
    """Reads, patches, creates and deletes over HTTP, from as many threads as want to."""

    _OF_CREATION: Mapping[str, str] = {}

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        """See `Writer.patch`. Sent again if the response was lost: a merge patch is idempotent."""
        body = orjson.dumps(change)
        expires = self._expiry()
        request = ApiRequest("patch", resource, namespace, name, expires, body, subresource)
        return request.read_object(self._send(request, {}))

    def create(self, resource: Resource, item: Item) -> Item | None:
        """See `Writer.create`. Sent again if the response was lost."""
        body = orjson.dumps(item)
        namespace, name = it.namespace(item), it.name(item)
        request = ApiRequest("create", resource, namespace, name, self._expiry(), body)
        response = self._send(request, self._OF_CREATION)
        return None if response.status == 409 else request.read_object(response)

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        """See `Writer.put`."""
        expires = min(self._expiry(), self._clock() + _PUT_S)
        request = ApiRequest("update", resource, namespace, name, expires, subresource=subresource)
        response = self._send(request, {}, is_repeatable=False)
        if response.status not in (200, 202):
            raise request.failure(response)

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        """See `Writer.delete`. Sent again if the response was lost."""
        meant = {"uid": uid, "resourceVersion": version}
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {field: value for field, value in meant.items() if value},
        }
        body = orjson.dumps(options) if uid or version else b""
        request = ApiRequest("delete", resource, namespace, name, self._expiry(), body)
        response = self._send(request, {})
        if response.status not in (200, 202, 404):
            raise request.failure(response)


class StrictWriter(KubernetesWriter):
    """Creates no object with a field that the cluster does not know.

    By default an API server drops such a field, and takes the object without what it asks for. The
    field may be misspelt, or of a later version than the cluster's.
    """

    _OF_CREATION: Mapping[str, str] = {"fieldValidation": "Strict"}
