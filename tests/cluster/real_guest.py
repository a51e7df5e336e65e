"""A booted guest whose disks are volumes of the cluster, and its life through backups."""

import json
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk
from tests.cluster.manifests import Machine as Described
from tests.machine import ext4
from tests.machine.image import DISKS, Image
from tests.machine.machine import BOOT_S, DATABASES, Machine

SYSTEM, DATA, HOT = "system", "data", "hot"
SIZES = {disk.label: f"{disk.size_mib}Mi" for disk in DISKS}
COUNT = "select count(*), coalesce(max(n), 0) from commits"
CLIENTS = {
    "postgresql": f'runuser -u postgres -- psql -XqAt -F " " -c "{COUNT}"',
    "mariadb": f'mariadb --batch --skip-column-names test -e "{COUNT}"',
}
CHECKS = {
    "postgresql": "runuser -u postgres -- /usr/lib/postgresql/*/bin/pg_amcheck"
    " --all --install-missing --heapallindexed",
    "mariadb": "mariadb-check --all-databases --extended",
}


def described(namespace: str, name: str, labels: Mapping[str, str]) -> Described:
    """The virtual machine of the guest: two disks in its template, one hot-plugged to stay."""
    system, data, hot = (Disk(label, "Block", SIZES[label]) for label in (SYSTEM, DATA, HOT))
    return Described(
        namespace,
        name,
        disks=(system, data),
        hotplugged=(hot,),
        has_instancetype=False,
        labels=tuple(labels.items()),
    )


def disks(cluster: Cluster, machine: Described, namespace: str = "") -> dict[str, Path]:
    """The volumes of the machine's disks by label; in another namespace after a restore."""
    claims = {disk.name: machine.claim(disk) for disk in (*machine.disks, *machine.hotplugged)}
    where = namespace or machine.namespace
    return {label: cluster.disk_image(where, claim) for label, claim in claims.items()}


def fill(volumes: Mapping[str, Path], image: Image) -> None:
    """The volumes as the guest's installation leaves them."""
    for label, volume in volumes.items():
        command = ["cp", "--sparse=always", str(image.disk(label)), str(volume)]
        subprocess.run(command, check=True)


def is_running(database: str) -> str:
    """A shell script that waits until a database answers."""
    probe = CLIENTS[database].replace(COUNT, "select 1").replace(" test ", " ")
    return f"timeout {BOOT_S} sh -c 'until {probe} >/dev/null 2>&1; do sleep 1; done'"


RECORD = "/var/lib/stillpoint-guest/record.json"
CONTROL_FILE = "/15/main/global/pg_control"
_CONTROL_FILE = struct.Struct("<QIIi4xqQQ")
"""Its beginning (ControlFileData in src/include/catalog/pg_control.h of PostgreSQL 11 to 17)."""
_IN_PRODUCTION = 6  # DBState


@dataclass(frozen=True)
class ControlFile:
    """What PostgreSQL's control file says on a disk.

    Attributes:
        is_shut_down: false if the server has to recover, as after a power failure.
        written: when, by the guest's clock, in whole seconds.
        redo: position in its log from which it recovers.
    """

    is_shut_down: bool
    written: datetime
    redo: int


@dataclass(frozen=True)
class OnDisk:
    """What the disks of a restored machine hold before anybody starts from them.

    Attributes:
        in_use: labels of the disks whose journal has to be replayed.
        record: of our package; empty without one.
        postgresql: the control file of the cluster.
    """

    in_use: frozenset[str]
    record: Mapping[str, Any]
    postgresql: ControlFile


def on_disk(volumes: Mapping[str, Path]) -> OnDisk:
    """What they hold; afterwards no journal has to be replayed."""
    in_use = frozenset(label for label, disk in volumes.items() if ext4.needs_recovery(disk))
    for label in in_use:
        ext4.replay(volumes[label])
    record = ext4.content(volumes[SYSTEM], RECORD)
    _, _, _, state, written, _, redo = _CONTROL_FILE.unpack_from(
        ext4.content(volumes[DATA], CONTROL_FILE)
    )
    return OnDisk(
        in_use,
        json.loads(record or "{}"),
        ControlFile(state != _IN_PRODUCTION, datetime.fromtimestamp(written, UTC), redo),
    )


@dataclass(frozen=True)
class Found:
    """What one database of a restored guest holds.

    Attributes:
        count: rows of the table of commits.
        last: the highest number among them.
        check: output of the database's own check of its data.
    """

    count: int
    last: int
    check: str


def found(guest: Machine) -> dict[str, Found]:
    """What each database holds, when it has recovered.

    Raises:
        AgentError: a database does not start, or its check fails.
    """
    result = {}
    for database in DATABASES:
        guest.run(is_running(database))
        count, last = map(int, guest.run(CLIENTS[database]).split())
        result[database] = Found(count, last, guest.run(CHECKS[database]))
    return result


def acknowledged(guest: Machine, moment: datetime) -> dict[str, int]:
    """The last commit of each database that the host knew of at that moment."""
    return {database: commits.until(moment) for database, commits in guest.commits.items()}
