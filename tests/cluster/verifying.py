"""`stillpoint verify` of backups in an object store, and guests that print what they are told."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillpoint import cli
from stillpoint.rendering.verify_rights import NAME
from tests.cluster import audit
from tests.cluster.api import Object
from tests.cluster.audit import Request
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import wait_until
from tests.cluster.scratch_guests import SCRATCH, Guest, Told
from tests.cluster.velero import API_VERSION, NAMESPACE
from tests.cluster.watcher import Watcher, lost_race

PREFIX = "stillpoint-verify-"
USER = f"system:serviceaccount:{NAMESPACE}:{NAME}"
OF_RUN = 25
"""Requests of a run besides those of its machines: the files of the backup, and what is left."""

QUIET_S = 15
"""The time of a run of one machine on a computer that does little else. After that it may ask once
a second more: it looks again at what takes its time to go, every two seconds at the soonest."""

SNAPSHOTS = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
CONTENTS = ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent")


@dataclass
class Guests:
    """What guests of each machine do, by its name; by default they say what a good copy says.

    Attributes:
        records: the id of the record on the disks of each machine.
        dead: machines whose database does not answer.
    """

    folder: Path
    records: Mapping[str, str]
    silent: set[str] = field(default_factory=set)
    never: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)

    def start(self, instance: Object, volumes: Mapping[str, Path]) -> Guest | None:
        assert volumes
        name = instance["metadata"]["name"]
        if name in self.never:
            return None
        console = self.folder / f"{instance['metadata']['uid']}.console"
        console.write_text("".join(self._lines(name)))
        return Told(console, is_agent_connected=name not in self.silent)

    def _lines(self, name: str) -> Iterator[str]:
        record = self.records.get(name)
        if not record:
            return
        head = {"v": 1, "id": record, "boot": "b-2"}
        answers = {"yes": [], "no": [], "unasked": [], "took_s": 0.5}
        answers |= {"no" if name in self.dead else "yes": ["postgresql:15/main"]}
        for said in (
            {"state": "copied", "verdict": "application"},
            {"state": "answers", **answers},
        ):
            yield f"\r\n@stillpoint {json.dumps(head | said)}\r\n"


@dataclass(frozen=True)
class Verifier:
    """The command, by an account of its own."""

    cluster: Cluster
    kubeconfig: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        self.capture.readouterr()
        place = ("-n", NAMESPACE, "--kubeconfig", str(self.kubeconfig))
        status = cli.main(["verify", *arguments, *place])
        return status, *self.capture.readouterr()

    def json(self, *arguments: str) -> tuple[int, Any]:
        status, output, errors = self.run(*arguments, "-o", "json")
        assert output, errors
        return status, json.loads(output)


@contextmanager
def spawned(
    kubeconfig: Path, *arguments: str, errors: int = subprocess.PIPE
) -> Iterator["subprocess.Popen[str]"]:
    """The command in a process of its own, which asks nobody, and is killed if it has not ended.

    All that it has said is told at the end, for a test that fails.

    Args:
        errors: where its standard error goes, as `subprocess.Popen` has it.
    """
    place = ("-y", "-n", NAMESPACE, "--kubeconfig", str(kubeconfig))
    program = "import sys; from stillpoint import cli; sys.exit(cli.main())"
    run = subprocess.Popen(
        [sys.executable, "-c", program, "verify", *arguments, *place],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    try:
        yield run
    finally:
        run.kill()
        output, said = run.communicate()
        sys.stderr.write(f"{arguments} ended with {run.returncode}: {output}{said}\n")


def ended(run: "subprocess.Popen[str]") -> tuple[int, Any]:
    """Exit status and document."""
    output, errors = run.communicate()
    assert output, errors
    return run.returncode, json.loads(output)


def wait_until_over(cluster: Cluster, namespace: str) -> None:
    """Returns when nothing of a backup of a namespace goes on: objects of snapshots go after it."""

    def is_over() -> bool:
        contents = cluster.api.list(*CONTENTS)
        of = [one["spec"]["volumeSnapshotRef"]["namespace"] for one in contents]
        return namespace not in of and not cluster.api.list(*SNAPSHOTS, namespace)

    wait_until(is_over, f"no object of a snapshot is left in {namespace}")


def started(cluster: Cluster) -> list[str]:
    """Names of instances that verifications have started."""
    found = cluster.api.list("kubevirt.io/v1", "VirtualMachineInstance")
    return [one["metadata"]["name"] for one in found if named(one).startswith(PREFIX)]


def left(cluster: Cluster) -> list[str]:
    """All that verifications have left on the cluster."""
    api = cluster.api
    namespaces = api.list("v1", "Namespace")
    restores = api.list(API_VERSION, "Restore", NAMESPACE)
    found = [one["metadata"]["name"] for one in (*namespaces, *restores)]
    found = [name for name in found if name.startswith(PREFIX)]
    for volume in api.list("v1", "PersistentVolume"):
        claim = volume["spec"].get("claimRef", {})
        if any(claim.get(part, "").startswith(PREFIX) for part in ("namespace", "name")):
            found.append(volume["metadata"]["name"])
    for content in api.list(*CONTENTS):
        if content["spec"]["volumeSnapshotRef"]["namespace"].startswith(PREFIX):
            found.append(content["metadata"]["name"])
    return found


def named(one: Object) -> str:
    """The namespace of an object, or its own name."""
    metadata = one["metadata"]
    name = metadata["name"]
    return str(name if name.startswith(PREFIX) else metadata.get("namespace", name))


def requests(cluster: Cluster, since: datetime) -> "Counter[Request]":
    """Requests of the command, by the audit log."""
    return audit.requests(cluster.control_plane.audit_log, USER, since)


class SmallQuotas(Watcher):
    """Gives each new scratch namespace a quota that leaves no room for claims."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._given: set[str] = set()
        super().__init__(every_s=0.05)

    def look(self) -> None:
        for one in self._cluster.api.list("v1", "Namespace", labels=SCRATCH):
            name = one["metadata"]["name"]
            if name not in self._given and one["status"]["phase"] == "Active":
                self._given.add(name)
                metadata = {"name": "small", "namespace": name}
                spec = {"hard": {"persistentvolumeclaims": "0"}}
                made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
                with lost_race():
                    self._cluster.api.create({**made, "spec": spec})


def writes(cluster: Cluster, namespace: str, since: datetime) -> list[str]:
    """Changes of anybody to objects of a namespace since then, by the audit log.

    Whoever was too late has changed nothing, as controllers that look again at what is gone.
    """
    return [
        f"{event['user']['username']} {event['verb']} {event['requestURI']}"
        for event in _events(cluster)
        if (event.get("objectRef") or {}).get("namespace") == namespace
        and event["verb"] not in ("get", "list", "watch")
        and event["responseStatus"]["code"] not in (404, 409)
        and datetime.fromisoformat(event["requestReceivedTimestamp"]) >= since
    ]


def _events(cluster: Cluster) -> Iterator[dict[str, Any]]:
    with cluster.control_plane.audit_log.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                event = json.loads(line)
                if event["stage"] == "ResponseComplete":
                    yield event


def now() -> datetime:
    return datetime.now(UTC)
