"""Requests that the API server answered, from its audit log.

Their number varies less with the machine's load than the time, so tests and benchmarks hold it. But
whoever waits asks the same more often: where that counts, tests hold how many differ.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple


class Request(NamedTuple):
    """One kind of request, such as ("velero", "create", "pods/exec")."""

    agent: str
    verb: str
    resource: str


def requests(
    log: Path, user: str, since: datetime, until: datetime | None = None
) -> Counter[Request]:
    """Requests of a user that arrived between two moments, counted by agent, verb and resource."""
    found: Counter[Request] = Counter()
    for event in events(log, user):
        arrived = datetime.fromisoformat(event["requestReceivedTimestamp"])
        if since <= arrived <= (until or datetime.now(UTC)):
            agent = event.get("userAgent", "").partition(" ")[0].partition("/")[0]
            found[Request(agent, event["verb"], resource(event))] += 1
    return found


def different(log: Path, user: str, since: datetime) -> set[tuple[str, str]]:
    """Requests of a user since a moment by verb and path, each once; without watches.

    Informers watch anew every few minutes, at any time.
    """
    return {
        (event["verb"], event["requestURI"].partition("?")[0])
        for event in events(log, user)
        if event["verb"] != "watch"
        and datetime.fromisoformat(event["requestReceivedTimestamp"]) >= since
    }


def events(log: Path, user: str) -> Iterator[dict[str, Any]]:
    mark = f'"username":"{user}"'
    with log.open() as lines:
        for line in lines:
            if mark in line and line.endswith("\n"):
                event = json.loads(line)
                if event["stage"] == "ResponseComplete" and event["user"]["username"] == user:
                    yield event


def resource(event: dict[str, Any]) -> str:
    reference = event.get("objectRef")
    if reference is None:
        return str(event["requestURI"].partition("?")[0])
    subresource = reference.get("subresource")
    name = reference.get("resource", "")
    return f"{name}/{subresource}" if subresource else name
