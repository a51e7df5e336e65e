"""A thin client of the Kubernetes API: objects in and out are dictionaries of their JSON."""

import json
import ssl
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

Object = dict[str, Any]
Objects = list[Object]


class ApiError(Exception):
    """The API server refused a request: HTTP status, what was asked, and its answer."""

    def __init__(self, status: int, method: str, path: str, message: str) -> None:
        super().__init__(f"{method} {path}: {status}: {message}")
        self.status = status


class Api:
    """Requests on behalf of one user. Threads may share it."""

    def __init__(self, server: str, authority: Path, token: str) -> None:
        self.server = server
        self._pool = urllib3.PoolManager(
            maxsize=16,
            block=True,
            ssl_context=ssl.create_default_context(cafile=str(authority)),
            retries=RETRIES,
            timeout=60,
            headers={"Authorization": f"Bearer {token}"},
        )
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def create(self, manifest: Object) -> Object:
        metadata = manifest["metadata"]
        path = self.path(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"))
        return self.request("POST", path, manifest)

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object:
        return self.request("GET", self.path(api_version, kind, namespace, name))

    def find(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """Like `get`, but None if there is no such object."""
        try:
            return self.get(api_version, kind, namespace, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, labels: str = ""
    ) -> Objects:
        """Objects of a kind, in a namespace or in all, that a label selector fits."""
        path = self.path(api_version, kind, namespace)
        if labels:
            path += "?" + urlencode({"labelSelector": labels})
        items: Objects = self.request("GET", path)["items"]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def delete(self, api_version: str, kind: str, namespace: str | None, name: str) -> None:
        self.request("DELETE", self.path(api_version, kind, namespace, name))

    def patch(
        self, api_version: str, kind: str, namespace: str | None, name: str, change: Object
    ) -> Object:
        """JSON merge patch: null removes."""
        path = self.path(api_version, kind, namespace, name)
        return self.request("PATCH", path, change, "application/merge-patch+json")

    def replace_status(self, changed: Object, status: Object) -> Object:
        """The object's status replaced, by its subresource where the kind has one."""
        metadata = changed["metadata"]
        kind = (changed["apiVersion"], changed["kind"])
        path = self.path(*kind, metadata.get("namespace"), metadata["name"])
        if kind not in WITHOUT_STATUS_SUBRESOURCE:
            path += "/status"
        change = [{"op": "add", "path": "/status", "value": status}]
        return self.request("PATCH", path, change, "application/json-patch+json")

    def path(
        self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None
    ) -> str:
        plural, is_namespaced = self._plural(api_version, kind)
        parts = [group_path(api_version)]
        if is_namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [plural] if name is None else [plural, name]
        return "/".join(parts)

    def request(
        self,
        method: str,
        path: str,
        body: Object | Objects | None = None,
        content_type: str = "application/json",
    ) -> Object:
        said = self._request(method, path, body, content_type)
        answer: Object = json.loads(said or b"{}")  # KubeVirt's subresources have none
        return answer

    def text(self, path: str, **query: object) -> str:
        """What is not JSON, such as a log."""
        return self._request("GET", f"{path}?{urlencode(query)}").decode()

    def stream(self, path: str, **query: object) -> Generator[str, None, None]:
        """Lines as they come, such as of a log that is followed."""
        address = f"{self.server}{path}?{urlencode(query)}"
        response = self._pool.request("GET", address, preload_content=False)
        try:
            if response.status >= 400:
                raise ApiError(response.status, "GET", path, error_message(response.data))
            for line in response:
                yield line.decode().removesuffix("\n")
        finally:
            response.close()

    def _request(
        self,
        method: str,
        path: str,
        body: Object | Objects | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        headers = {**self._pool.headers, "Content-Type": content_type}
        # As Go writes it: the data of a revision is kept to the byte, and any change is refused.
        encoded = None if body is None else json.dumps(body, separators=(",", ":"))
        response = self._pool.request(method, self.server + path, body=encoded, headers=headers)
        if response.status >= 400:
            raise ApiError(response.status, method, path, error_message(response.data))
        return response.data

    def is_ready(self) -> bool:
        try:
            response = self._pool.request("GET", self.server + "/readyz", retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return response.status == 200

    def close(self) -> None:
        self._pool.clear()

    def _plural(self, api_version: str, kind: str) -> tuple[str, bool]:
        if (api_version, kind) not in self._plurals:
            for resource in self.request("GET", group_path(api_version))["resources"]:
                if "/" not in resource["name"]:
                    known = resource["name"], resource["namespaced"]
                    self._plurals[api_version, resource["kind"]] = known
        return self._plurals[api_version, kind]


RETRIES = urllib3.Retry(3, redirect=False, allowed_methods=["GET"], raise_on_status=False)
"""Of what only reads: a server may close a connection that was idle as the request comes, and has
those come again whom it cannot answer yet. Nobody knows whether a change was made."""

WITHOUT_STATUS_SUBRESOURCE = {("kubevirt.io/v1", "VirtualMachineInstance")}


def group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def error_message(body: bytes) -> str:
    try:
        answer: Mapping[str, Any] = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    return str(answer.get("message", answer))
