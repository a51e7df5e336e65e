"""How long a booted guest stands still while real Velero backs it up, by disks and by hook."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import snapshots
from benchmarks.snapshots import Way, prepared, write_policy
from tests.cluster import real_guest
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk
from tests.cluster.manifests import Machine as Described
from tests.machine import packages
from tests.machine.image import Image, guest_image
from tests.machine.machine import DATABASES, Machine

DISKS = (1, 2, 4)
FOLDERS = {"postgresql": "/var/lib/postgresql", "mariadb": "/var/lib/mysql"}
SPARE = "spare"
SAMPLE = Path(__file__).parent / "hooks" / "fifo.sh"
CLIENT = "#!/bin/sh\nMARIADB='mariadb -NB --unbuffered'\n"
NONE, AS_SAMPLE, OURS = "none", "as QEMU's MySQL sample", "stillpoint-guest"
HOOKS = {NONE: "", AS_SAMPLE: "/usr/local/sbin/sample", OURS: "/usr/bin/stillpoint-guest"}
WAYS = {
    "stillpoint": Way(is_ours=True),
    "Velero, every 1 s": Way(polls_often=True),
    "Velero, every 5 s": Way(),
}
SETTLE_S = 3


@dataclass(frozen=True)
class Measured:
    """One backup.

    Attributes:
        frozen_s: from when the freeze was done to when the first thaw was asked for.
        stall_s: the longest time in which a database acknowledged nothing, of each.
    """

    frozen_s: float
    stall_s: Mapping[str, float]


Runs = dict[tuple[str, int, str], Measured]  # by who takes the snapshots, disks and hook


def run() -> None:
    """Time that a guest is frozen and its commits stall in a backup by real Velero."""
    image = guest_image()
    cluster = Cluster()
    runs: Runs = {}
    try:
        cluster.start()
        write_policy(cluster)
        with tempfile.TemporaryDirectory() as folder:
            package = packages.build(Path(folder)).deb
            for count in DISKS:
                with running(cluster, image, count) as guest:
                    packages.install(guest, package)
                    packages.configure(guest, "patient", packages.PATIENT)
                    measure(cluster, guest, count, runs)
    finally:
        cluster.close()
    tell(runs)


@contextmanager
def running(cluster: Cluster, image: Image, count: int) -> Iterator[Machine]:
    """A guest on so many volumes of the cluster, with both databases at work."""
    described = machine(count)
    cluster.create_namespace(described.namespace)
    cluster.create_vm(described)
    volumes = real_guest.disks(cluster, described)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as power:
        aside = {label: Path(folder) / label for label in real_guest.SIZES if label not in volumes}
        spares = {label: path for label, path in volumes.items() if label.startswith(SPARE)}
        installed = {**volumes, **aside}
        real_guest.fill({label: installed[label] for label in real_guest.SIZES}, image)
        guest = Machine(image, {label: installed[label] for label in (*real_guest.SIZES, *spares)})
        power.callback(guest.close)
        with guest.agent() as agent:
            agent.write(HOOKS[AS_SAMPLE], (CLIENT + SAMPLE.read_text()).encode(), "755")
        guest.wait_for_shell()
        for database, label in zip(DATABASES, (real_guest.DATA, real_guest.HOT), strict=True):
            guest.run(real_guest.is_running(database))
            if label in aside:
                guest.run(moved_to_the_system_disk(database))
                guest.run(real_guest.is_running(database))
            guest.run(f"systemctl start commits@{database}")
        for number, _ in enumerate(spares):
            guest.run(mounted(number))
        cluster.node.give_agent(described.namespace, described.name, guest.agent_socket)
        yield guest


def machine(count: int) -> Described:
    """Its disks are those of the guest's image as far as they go, then empty ones."""
    own = real_guest.described(f"disks-{count}", "db", {})
    disks = [*own.disks, *own.hotplugged]
    disks += [Disk(f"{SPARE}{number}", "Block", "64Mi") for number in range(count - len(disks))]
    return replace(own, disks=tuple(disks[:count]), hotplugged=())


def moved_to_the_system_disk(database: str) -> str:
    """A script: the database goes on there, and its own disk is not mounted any more."""
    folder = FOLDERS[database]
    units = "postgresql@15-main" if database == "postgresql" else database
    return (
        f"systemctl stop {units}; mkdir /mnt/{database}; cp -a {folder}/. /mnt/{database};"
        f"umount {folder}; cp -a /mnt/{database}/. {folder}; rm -r /mnt/{database};"
        f"sed -i '\\|{folder}|d' /etc/fstab; systemctl daemon-reload; systemctl start {units}"
    )


def mounted(number: int) -> str:
    """A script: one of the empty disks is in use too."""
    device = f"/dev/vd{'defgh'[number]}"
    return f"mkfs.ext4 -q {device}; mkdir -p /srv/{number}; mount {device} /srv/{number}"


def measure(cluster: Cluster, guest: Machine, count: int, runs: Runs) -> None:
    for taker, way in WAYS.items():
        with prepared(cluster, way):
            for hook, program in HOOKS.items():
                call(guest, program)
                runs[taker, count, hook] = backup(cluster, guest, count, way)


def call(guest: Machine, hook: str) -> None:
    """The agent calls that hook from now on, or none."""
    setting = f"fsfreeze-hook={hook}\\n" if hook else ""
    guest.shell(f"printf '[general]\\n{setting}' >/etc/qemu/qemu-ga.conf")
    guest.shell("systemctl restart qemu-guest-agent", 120)
    with guest.agent():  # it answers
        time.sleep(SETTLE_S)


def backup(cluster: Cluster, guest: Machine, count: int, way: Way) -> Measured:
    for commits in guest.commits.values():
        commits.wait(more=20)
    before = len(cluster.freezes())
    snapshots.backup(cluster, way, f"disks-{count}")
    for commits in guest.commits.values():
        commits.wait(more=20)
    frozen, thawed = (call.time for call in cluster.freezes()[before:] if call.has_changed)
    stalls = {name: each.longest_stall_s(frozen, thawed) for name, each in guest.commits.items()}
    return Measured((thawed - frozen).total_seconds(), stalls)


def tell(runs: Runs) -> None:
    print(f"{'snapshots by':<20}{'disks':>6}  {'hook':<24}{'frozen s':>9}", end="")
    print("".join(f"{database + ' s':>14}" for database in DATABASES))
    for (taker, count, hook), found in sorted(runs.items(), key=lambda run: run[0][:2]):
        print(f"{taker:<20}{count:>6}  {hook:<24}{found.frozen_s:>9.2f}", end="")
        print("".join(f"{found.stall_s[database]:>14.2f}" for database in DATABASES))
