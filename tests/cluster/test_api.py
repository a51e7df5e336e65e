"""The client of the API asks for what it reads again, and changes nothing twice."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import certifi
import pytest
import urllib3

from tests.cluster.api import Api, ApiError

CLOSED = b""
_ALONE = b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\n" + _ALONE
GOOD = b"HTTP/1.1 200 OK\r\n" + _ALONE

Server = Callable[[Sequence[bytes]], Api]


@pytest.fixture
def asked() -> list[str]:
    """The requests that have come, by their method."""
    return []


@pytest.fixture
def server(asked: list[str]) -> Iterator[Server]:
    """A client of a server with one answer for each connection, which ends with it and says so.

    Where fewer requests come than it has answers, it ends with the test.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run(answers: Sequence[bytes]) -> None:
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:  # it is shut down, or closed already
                    return
                with connection:
                    asked.append(connection.recv(65536).partition(b" ")[0].decode())
                    connection.sendall(answer)

        def begin(answers: Sequence[bytes]) -> Api:
            servers.append(threading.Thread(target=run, args=(answers,)))
            servers[-1].start()
            where = f"http://127.0.0.1:{listener.getsockname()[1]}"
            return Api(where, Path(certifi.where()), "token")

        servers: list[threading.Thread] = []
        yield begin
        listener.shutdown(socket.SHUT_RDWR)
        for one in servers:
            one.join()


@pytest.mark.parametrize("answer", [CLOSED, BUSY], ids=["closed", "busy"])
def test_what_was_not_answered_is_read_again(
    server: Server, asked: list[str], answer: bytes
) -> None:
    with closing(server([answer, GOOD])) as api:
        assert api.request("GET", "/api") == {}
    assert asked == ["GET", "GET"]


def test_a_server_that_stays_busy_is_an_error_of_its_own(server: Server, asked: list[str]) -> None:
    with closing(server([BUSY] * 4)) as api, pytest.raises(ApiError) as caught:
        api.request("GET", "/api")
    assert (caught.value.status, len(asked)) == (429, 4)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_change_of_which_nobody_knows_is_not_made_again(
    server: Server, asked: list[str], method: str
) -> None:
    with closing(server([CLOSED, GOOD])) as api, pytest.raises(urllib3.exceptions.HTTPError):
        api.request(method, "/api", {})
    assert asked == [method]
