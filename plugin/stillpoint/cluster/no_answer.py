"""Why an API server was not reached, in words, and what helps."""

import re

from urllib3 import exceptions as http

REACH_HINT = (
    "kubectl cluster-info, with the same kubeconfig, has to reach it: is the address right, and a "
    "VPN or proxy on the way up?"
)
TRUST_HINT = (
    "certificate-authority of the kubeconfig has to be the authority of this API server, and its "
    "server a name in the certificate"
)
_NOISE = re.compile(
    r"^HTTPS?Connection\(.*?\): (?:Failed to establish a new connection: )?"
    r"|\[(?:Errno -?[0-9]+|SSL: [A-Z0-9_]+)\] | \(_ssl\.c:[0-9]+\)"
)


def address(url: str) -> str:
    """The address of the API server, without a password in it."""
    scheme, slashes, rest = url.rpartition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"


def reason(error: http.HTTPError) -> str:
    """The innermost error that urllib3 wraps, in one line."""
    innermost = error.args[-1] if error.args else ""
    text = plain(str(innermost or error)) or type(error).__name__
    return f"TLS: {text}" if isinstance(error, http.SSLError) else text


def plain(text: str) -> str:
    """The text of an error in one line, without numbers of errors and of lines in C."""
    return _NOISE.sub("", " ".join(text.split())).rstrip(".")


def remedy(error: http.HTTPError) -> str:
    """The remedy; empty for a server that answered, and broke off."""
    if isinstance(error, http.SSLError):
        return TRUST_HINT if "certificate" in str(error) else REACH_HINT
    if isinstance(error, http.ProxyError):
        return "correct HTTPS_PROXY or NO_PROXY, or proxy-url of the kubeconfig"
    was_reached = not isinstance(error, (http.ConnectTimeoutError, http.NewConnectionError))
    return "" if was_reached else REACH_HINT
