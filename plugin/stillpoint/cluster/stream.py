"""Responses that come line by line, for as long as a request goes on: logs, and watched objects.

What a guest prints is hostile: a line without an end, or more than anybody reads, costs no more
than the bounds here.

Source: pkg/registry/core/pod/rest/log.go of Kubernetes v1.33, and "Efficient detection of changes"
in its API concepts.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as http

from stillpoint.cluster.api_request import ApiRequest

_CHUNK_BYTES = 64 * 1024

Line = TypeVar("Line")


class Bounds(NamedTuple):
    """Bounds of what is kept.

    Attributes:
        line: bytes of a line; the rest of a longer one is dropped.
        response: bytes of the response; the rest is left.
        is_whole: true if a response of which a rest is left is a failure: what is not in its lines
            is taken for not said.
    """

    line: int
    response: int
    is_whole: bool = False


class LineStream(Generic[Line]):
    """Sends the request when its lines are first asked for; see `model.reader.Stream`.

    Args:
        request: its deadline is a reading of `clock`.
        open_response: sends the request; raises `ReadFailed`.
        parse: makes of a line what is given out.
    """

    def __init__(
        self,
        request: ApiRequest,
        open_response: Callable[[], BaseHTTPResponse],
        parse: Callable[[bytes], Line],
        clock: Callable[[], float],
        bounds: Bounds,
    ) -> None:
        self._request = request
        self._open = open_response
        self._parse = parse
        self._clock = clock
        self._bounds = bounds
        self._lock = threading.Lock()
        self._response: BaseHTTPResponse | None = None
        self._is_closed = False

    def __iter__(self) -> Iterator[Line]:
        """See `model.reader.Stream`."""
        if self._is_closed:
            return
        try:
            with self._open() as response:
                self._keep(response)
                yield from map(self._parse, lines(self._parts(response), self._bounds.line))
        except http.ReadTimeoutError as error:
            if self._bounds.is_whole:
                raise self._request.no_response("its end did not come in time") from error
        except http.HTTPError as error:
            if not self._is_closed:
                raise self._request.no_response(str(error)) from error
        finally:
            with self._lock:
                self._response = None

    def close(self) -> None:
        """See `model.reader.Stream`."""
        with self._lock:
            self._is_closed = True
            if self._response is not None:
                _hang_up(self._response)

    def _keep(self, response: BaseHTTPResponse) -> None:
        with self._lock:
            self._response = response
            if self._is_closed:
                _hang_up(response)

    def _parts(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        left = self._bounds.response
        while left > 0 and self._clock() < self._request.expires:
            part = response.read1(_CHUNK_BYTES)
            if not part:
                return
            left -= len(part)
            yield part
        if self._bounds.is_whole:
            cause = "its end did not come in time" if left > 0 else "the response is too long"
            raise self._request.no_response(cause)


def _hang_up(response: BaseHTTPResponse) -> None:
    """Wakes the thread that reads the response, which then finds its end."""
    with suppress(ValueError, RuntimeError, OSError):  # it has ended
        response.shutdown()


def lines(parts: Iterable[bytes], longest_bytes: int) -> Iterator[bytes]:
    """The whole lines, without their ends; of a long one no more than its beginning."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line[:longest_bytes]
        rest = rest[:longest_bytes]
