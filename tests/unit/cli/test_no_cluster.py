"""What each verb says of a cluster that it does not reach: one line, and what helps; status 3."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs import VERBS, snapshot
from tests.api_server.server import ApiServer

SNAPSHOT = {
    "create": ["db"],
    "list": [],
    "show": ["one"],
    "wait": ["one"],
    "delete": ["one", "--yes"],
    "restore": ["one", "--yes"],
    "clone": ["db", "--to", "copy"],
    "prune": ["db", "--keep", "1", "--yes"],
}
ASK = [
    ["check"],
    ["rehearse"],
    ["report", "nightly"],
    ["history"],
    ["coverage"],
    ["verify", "nightly", "--yes"],
    ["verify", "--clean-up"],
    *(["snapshot", verb, *arguments] for verb, arguments in SNAPSHOT.items()),
]
WAIT = ("check", "rehearse", "nightly", "coverage", "--clean-up", "list")
"""The ends of those that are tried where a refusal is waited for: one of each way to ask."""

DO_NOT = {"install", "render", "completion", "version"}

Written = Callable[..., list[str]]
REACH = "HINT: kubectl cluster-info, with the same kubeconfig, has to reach it"
MEND = "HINT: mend it, or point KUBECONFIG at another"
RENEW = "HINT: renew the credentials"


def test_every_verb_is_asked() -> None:
    assert {verb.NAME for verb in VERBS} == {first for first, *_ in ASK} | DO_NOT
    assert {verb.NAME for verb in snapshot.SUB_VERBS} == SNAPSHOT.keys()


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A kubeconfig with these changes, as options."""

    def write(*, server: str, user: Any = None, current: str = "here") -> list[str]:
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": server, "proxy-url": ""}}],
            "users": [{"name": "here", "user": user or {"token": "s3cret"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
            "current-context": current,
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(content))
        return ["--kubeconfig", str(file)]

    return write


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a port that nobody listens on, and that nobody else is given."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def said(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on standard error."""
    assert cli.main(arguments) == ExitStatus.CANNOT_TELL
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "s3cret" not in printed.err
    return printed.err.splitlines()


@pytest.mark.parametrize("verb", [one for one in ASK if one[-1] in WAIT], ids=" ".join)
def test_each_verb_names_the_address_that_refuses(
    verb: list[str], written: Written, silent: str, capfd: pytest.CaptureFixture[str]
) -> None:
    what, hint = said([*verb, *written(server=f"https://{silent}")], capfd)
    assert what.startswith("stillpoint: ")
    assert what.endswith(f": https://{silent}: Connection refused")
    assert hint.startswith(REACH)


@pytest.mark.parametrize("verb", ASK, ids=" ".join)
def test_each_verb_names_the_contexts_that_there_are(
    verb: list[str], written: Written, silent: str, capfd: pytest.CaptureFixture[str]
) -> None:
    options = written(server=f"https://{silent}")
    what, hint = said([*verb, *options, "--context", "nowhere"], capfd)
    assert what.endswith(": cannot connect to a cluster: there is no context 'nowhere'")
    assert hint == "HINT: its contexts are here"


@pytest.mark.parametrize("verb", ASK, ids=" ".join)
def test_each_verb_names_credentials_that_do_not_count(
    verb: list[str], written: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    with ApiServer([]) as server:
        what, hint = said([*verb, *written(server=server.url)], capfd)
    assert what.endswith(": HTTP 401: Unauthorized")
    assert hint.startswith(RENEW)


@pytest.mark.parametrize("verb", ASK, ids=" ".join)
def test_each_verb_names_a_kubeconfig_that_is_missing(
    verb: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none")
    what, hint = said([*verb, "--kubeconfig", missing], capfd)
    cause = "cannot connect to a cluster: there is no such file"
    assert what == f"stillpoint: kubeconfig {missing}: {cause}"
    assert hint == "HINT: point KUBECONFIG at a kubeconfig with a current-context"


def login(command: str) -> dict[str, Any]:
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": command, "interactiveMode": "Never"}}


@pytest.mark.parametrize(
    ("server", "more", "cause", "remedy"),
    [
        ("127.0.0.1:6443", {}, "server '127.0.0.1:6443' is no URL like https://HOST:6443", MEND),
        ("https://[::1", {}, "Invalid IPv6 URL", MEND),
        ("http://{}", {"current": "gone"}, "there is no context 'gone'", "HINT: its contexts"),
        ("http://{}", {"current": ""}, "there is no context ''", "HINT: its contexts are here"),
        ("http://{}", {"user": login("no-such-login")}, "cannot log in: No such file or", RENEW),
        ("http://{}", {"user": login("false")}, "cannot log in: exec: process returned 1", RENEW),
        ("http://u:s3cret@{}", {}, "cannot discover its resources: http://127.", REACH),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_kubeconfig_is_told_in_one_line(
    server: str,
    more: dict[str, Any],
    cause: str,
    remedy: str,
    request: pytest.FixtureRequest,
) -> None:
    written, silent = (request.getfixturevalue(name) for name in ("written", "silent"))
    capfd = request.getfixturevalue("capfd")
    what, hint = said(["check", *written(server=server.format(silent), **more)], capfd)
    assert cause in what
    assert hint.startswith(remedy)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "file is empty"),
        ("[]", "what is in there is no kubeconfig"),
        ("a: b: c", "mapping values are not allowed here"),
        (None, "Is a directory"),
    ],
)
def test_what_is_no_kubeconfig_is_told_in_one_line(
    content: str | None, cause: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kubeconfig"
    file.mkdir() if content is None else file.write_text(content)
    what, hint = said(["check", "--kubeconfig", str(file)], capfd)
    assert cause in what
    assert hint.startswith(MEND)
