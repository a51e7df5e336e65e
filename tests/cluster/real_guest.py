"""A booted guest whose disks are volumes of the cluster, and its life through backups."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk
from tests.cluster.manifests import Machine as Described
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
