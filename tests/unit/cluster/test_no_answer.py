"""The words for errors of urllib3, as it makes them."""

import socket

import pytest
from urllib3 import exceptions as http
from urllib3.connection import HTTPSConnection

from stillpoint.cluster import no_answer

THERE = HTTPSConnection("api.shop.example", 6443)
UNKNOWN = "certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)"
ERRORS = [
    (
        http.NameResolutionError("api.shop.example", THERE, socket.gaierror(-2, "not known")),
        "Failed to resolve 'api.shop.example' (not known)",
        no_answer.REACH_HINT,
    ),
    (
        http.NewConnectionError(
            THERE, "Failed to establish a new connection: [Errno 113] No route"
        ),
        "No route",
        no_answer.REACH_HINT,
    ),
    (
        http.ConnectTimeoutError(THERE, "Connection to api.shop.example timed out"),
        "Connection to api.shop.example timed out",
        no_answer.REACH_HINT,
    ),
    (
        http.SSLError(f"[SSL: CERTIFICATE_VERIFY_FAILED] {UNKNOWN}"),
        f"TLS: {UNKNOWN.removesuffix(' (_ssl.c:1006)')}",
        no_answer.TRUST_HINT,
    ),
    (
        http.ProxyError("Unable to connect to proxy", OSError("Tunnel failed: 403.")),
        "Tunnel failed: 403",
        "correct HTTPS_PROXY or NO_PROXY, or proxy-url of the kubeconfig",
    ),
    (http.ProtocolError("Connection broken"), "Connection broken", ""),
]


@pytest.mark.parametrize(("error", "cause", "remedy"), ERRORS)
def test_an_error_is_told_without_noise_and_with_what_helps(
    error: http.HTTPError, cause: str, remedy: str
) -> None:
    assert (no_answer.reason(error), no_answer.remedy(error)) == (cause, remedy)


def test_an_address_has_no_password() -> None:
    assert no_answer.address("https://u:s3cret@host:6443/a") == "https://host:6443/a"
    assert no_answer.address("host:6443") == "host:6443"
