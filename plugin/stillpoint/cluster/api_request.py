"""API requests and what their HTTP responses mean: paths, bodies and errors, without I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import orjson

from stillpoint.cluster import denial
from stillpoint.cluster.packed import Fields
from stillpoint.model import json_text
from stillpoint.model.errors import (
    Conflict,
    Denied,
    Forbidden,
    NoResponse,
    ReadFailed,
    Unreachable,
)
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.model.reference import Resource

CREDENTIALS_HINT = (
    "renew the credentials: the token mounted into the pod, or the user of the kubeconfig"
)
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_LONGEST_MESSAGE = 400  # characters


class _ListMeta(msgspec.Struct, rename={"next": "continue", "version": "resourceVersion"}):
    next: str = ""
    version: str = ""


class _Page(msgspec.Struct):
    """A page of a list; each field of its objects stays the JSON text that was received.

    Read as a whole, 2,000 pods of 6 KB took 157 MB besides their 13 MB of JSON.
    """

    metadata: _ListMeta
    items: list[dict[str, msgspec.Raw]] | None  # null is an empty list, as Go writes a nil one


# Made here and not at the first page: msgspec looks into a Struct when it first meets it, and two
# threads that do so at once end the process (msgspec 0.22).
_PAGES = msgspec.json.Decoder(_Page)


class Expired(Unreachable):
    """HTTP 410: the token for the next page is of a state that the server has dropped."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A server's HTTP response.

    Attributes:
        retry_after: the header of that name; empty if there was none.
        date: the same.
    """

    status: int
    retry_after: str
    body: bytes
    date: str = ""

    @property
    def retry_after_s(self) -> float | None:
        """The API server sends seconds; the other form of HTTP, a date, is not followed."""
        is_seconds = self.retry_after.isascii() and self.retry_after.isdecimal()
        return float(self.retry_after) if is_seconds else None

    @property
    def details(self) -> dict[str, Any]:
        """The API server's Status object; {} if the body is something else."""
        try:
            status = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            status = None
        return status if isinstance(status, dict) else {}

    @property
    def message(self) -> str:
        """The code, and the message of the API server if the body is a Status object."""
        message = self.details.get("message")
        text = f"HTTP {self.status}: {message}" if message else f"HTTP {self.status}"
        return text[:_LONGEST_MESSAGE].rstrip(".")


class PageEnd(NamedTuple):
    """The fields of a list page besides its objects.

    Attributes:
        token: for the next page; empty on the last.
        version: `resourceVersion` of the cluster that all pages show.
    """

    token: str
    version: str


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request for one object, or a `list` or `watch` of one namespace (empty: of the cluster).

    Attributes:
        verb: as RBAC spells it, `get`, `list`, `watch`, `patch`, `create`, `update` or `delete`.
        name: empty for list and watch.
        expires: deadline, a reading of the reader's clock.
        body: content to send; empty for a read.
        subresource: of the object; empty for the object itself.
        has_secrets: true for the values of a Secret, too.
    """

    verb: str
    resource: Resource
    namespace: str
    name: str
    expires: float
    body: bytes = b""
    subresource: str = ""
    has_secrets: bool = False

    @property
    def accept(self) -> str:
        """Media type of the response; for a Secret, metadata alone unless its data is wanted."""
        is_secret = (self.resource.group, self.resource.plural) == ("", "secrets")
        is_without_data = is_secret and self.verb == "get" and not self.has_secrets
        return _METADATA if is_without_data else "application/json"

    @property
    def method(self) -> str:
        """HTTP method."""
        verbs = {"patch": "PATCH", "create": "POST", "update": "PUT", "delete": "DELETE"}
        return verbs.get(self.verb, "GET")

    @property
    def content_type(self) -> str:
        """Media type of the body."""
        return "application/merge-patch+json" if self.verb == "patch" else "application/json"

    @property
    def path(self) -> str:
        """Example: `/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db`."""
        resource = self.resource
        group = ("apis", resource.group) if resource.group else ("api",)
        namespace = ("namespaces", self.namespace) if self.namespace else ()
        name = (self.name,) if self.name and self.verb != "create" else ()
        subresource = (self.subresource,) if self.subresource else ()
        parts = (*group, resource.version, *namespace, resource.plural, *name, *subresource)
        return "".join(f"/{quote(part, safe='')}" for part in parts)

    def read_object(self, response: ApiResponse) -> Item:
        """The requested object, from its response.

        Raises:
            ReadFailed: the response is a failure, or another object.
        """
        item = self._parse(response)
        metadata = item.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("name") != self.name:
            raise self.unreachable("the response is not the requested object")
        return item

    def read_review(self, response: ApiResponse) -> bool:
        """The answer to a SubjectAccessReview.

        Raises:
            ReadFailed: the response is a failure, or no answer.
        """
        status = self._parse(response).get("status")
        if not isinstance(status, dict) or not isinstance(status.get("allowed"), bool):
            raise self.unreachable("the response is no review")
        return bool(status["allowed"])

    def read_page(self, response: ApiResponse, take: Callable[[Fields], None]) -> PageEnd:
        """Hands the objects of one page to `take`.

        Raises:
            ReadFailed: the response is a failure, or no list; `take` may have been called before.
        """
        if response.status != 200:
            raise self.failure(response)
        try:
            page = _page(response.body)
            for item in page.items or ():
                take(self._with_kind(item))
        except (ValueError, TypeError) as error:
            raise self.unreachable(f"the response is no list in JSON: {error}") from error
        return PageEnd(page.metadata.next, page.metadata.version)

    def event(self, line: bytes) -> tuple[str, Item]:
        """A line of a watch: `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`, and the object.

        Raises:
            ReadFailed: the server ends the watch with an error, or the line is no event.
        """
        event = self._decode(line)
        kind, item = event.get("type"), event.get("object")
        if not isinstance(kind, str) or not isinstance(item, dict):
            raise self.unreachable("the response is no event of a watch")
        if kind == "ERROR":
            code = item.get("code")
            status = code if isinstance(code, int) else 0
            raise self.failure(ApiResponse(status, "", orjson.dumps(item)))
        return kind, item

    def change(self, line: bytes) -> Change:
        """A line of a watch, see `event`; of a bookmark, an object without a name."""
        kind, item = self.event(line)
        return Change(item, kind == "DELETED")

    def unreachable(self, cause: str, hint: str = "") -> Unreachable:
        """The error for a response that is late, incomplete or cannot be trusted."""
        return Unreachable(self._subject, f"cannot {self.verb}", cause, hint)

    def no_response(self, cause: str, hint: str = "") -> NoResponse:
        """The error for a server that sent no whole response."""
        return NoResponse(self._subject, f"cannot {self.verb}", cause, hint)

    def _parse(self, response: ApiResponse) -> Item:
        if response.status not in (200, 201):
            raise self.failure(response)
        return self._decode(response.body)

    def _decode(self, body: bytes) -> Item:
        try:
            value = json_text.decode(body)
        except ValueError as error:
            raise self.unreachable(f"the response is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise self.unreachable("the response is JSON, but not an object")
        return value

    def _with_kind(self, item: Fields) -> Fields:
        """Adds kind and apiVersion, which built-in resources leave out of the items of a list."""
        if "kind" in item and "apiVersion" in item:
            return item
        group, version = self.resource.group, self.resource.version
        api_version = f"{group}/{version}" if group else version
        return {"kind": self.resource.kind, "apiVersion": api_version} | item

    def failure(self, response: ApiResponse) -> ReadFailed:
        """The error for a response that is no success."""
        subject, attempt = self._subject, f"cannot {self.verb}"
        if response.status == 401:
            return Forbidden(subject, attempt, response.message, CREDENTIALS_HINT)
        if response.status == 403 and self.method != "GET" and denial.is_denial(response.details):
            return Denied(subject, attempt, response.message, denial.hint(response.message))
        if response.status == 403:
            where = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
            right = f"the account has no right to {self.verb} {self._granted} {where}"
            return Forbidden(subject, attempt, f"{right} ({response.message})", self._rule)
        if response.status == 409:
            return Conflict(subject, attempt, response.message)
        if response.status == 410:
            return Expired(subject, attempt, response.message)
        return Unreachable(subject, attempt, response.message)

    @property
    def _rule(self) -> str:
        """The RBAC rule that is missing, and no more: an account that may list lacks `get` alone.

        A listed resource is also requested by name, once a list lacks the name, so both verbs are
        granted at once. Secrets are never listed at a restore.
        """
        verbs = ("get", "list") if self.verb == "list" else (self.verb,)
        wanted = ", ".join(f'"{verb}"' for verb in verbs)
        return (
            "grant the account a role with the rule "
            f'apiGroups: ["{self.resource.group}"], resources: ["{self._granted.plural}"], '
            f"verbs: [{wanted}]"
        )

    @property
    def _granted(self) -> Resource:
        """The resource as RBAC spells it: `virtualmachineinstances/unfreeze`."""
        if not self.subresource:
            return self.resource
        return self.resource._replace(plural=f"{self.resource.plural}/{self.subresource}")

    @property
    def _subject(self) -> str:
        if self.name:
            return str(self._granted.named(self.namespace, self.name))
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.resource}{where}"


def _page(body: bytes) -> _Page:
    try:
        return _PAGES.decode(body)
    except RecursionError:  # one deep object must not keep all others from being read
        page = json_text.decode(body)
    items = page.get("items") or ()
    fields = [{key: msgspec.Raw(json_text.encode(one[key])) for key in one} for one in items]
    return _Page(msgspec.convert(page.get("metadata"), _ListMeta), fields)
