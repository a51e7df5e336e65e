"""How long a booted guest stands still while real Velero backs it up, by disks and by hook.

One guest with all disks is booted once. Each machine of the cluster has the first of them: their
claims' volumes are the files that the guest writes to. They lie on a filesystem whose copies share
their blocks, for a snapshot of real storage copies no bytes either.
"""

import ctypes
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks import snapshots
from benchmarks.snapshots import Incomplete, Way, prepared, write_policy
from stillpoint.evidence.document import Evidence
from stillpoint.model.level import Level
from tests.cluster import real_guest
from tests.cluster.cluster import MEMORY, Cluster
from tests.cluster.evidence_guests import shown
from tests.cluster.manifests import Disk
from tests.cluster.manifests import Machine as Described
from tests.machine import packages
from tests.machine.image import Image, guest_image
from tests.machine.machine import DATABASES, Machine

DISKS = (1, 2, 4, 8, 16)
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
COMPARED = 4
"""Hooks are compared with so many disks, or with the most there are, taken by the plugin."""
ROUNDS = 3
"""Backups by the plugin, with our hook, whose median counts; Velero's own are its clock."""
SETTLE_S = 3
XFS_BYTES = 12 * 2**30
"""Most of which is never written."""
CLONE_NEWNS = 0x20000  # linux/sched.h
LOOK_S = 0.5


@dataclass(frozen=True)
class Measured:
    """One backup.

    Attributes:
        frozen_s: from when the freeze was done to when the first thaw was asked for.
        cut_s: how long the storage worked on the snapshot that took it longest.
        stall_s: the longest time in which a database acknowledged nothing, of each.
        plugin_mb: the most that a process of the plugin had in memory.
        levels: of the machine, by the evidence in the backup, with what an unknown one lacks.
    """

    frozen_s: float
    cut_s: float
    stall_s: Mapping[str, float]
    plugin_mb: float
    levels: frozenset[str]


def run(counts: Sequence[int] = DISKS) -> None:
    """Time that a guest is frozen and its commits stall in a backup by real Velero."""
    image = guest_image()
    with shared_blocks() as folder:
        cluster = Cluster(disks=folder / "disks")
        try:
            cluster.start()
            write_policy(cluster)
            package = packages.build(folder).deb
            with running(cluster, image, sorted(counts)) as guest:
                packages.install(guest, package)
                packages.configure(guest, "patient", packages.PATIENT)
                measure(cluster, guest, sorted(counts))
        finally:
            cluster.close()


@contextmanager
def shared_blocks() -> Iterator[Path]:
    """A folder in which a copy of a file shares its blocks: an XFS in memory, for root alone.

    Only this process and its children see it, so whoever looks after all filesystems of the machine
    leaves it alone.
    """
    if os.geteuid():
        print("without root a snapshot copies all bytes of a disk\n", flush=True)
        with tempfile.TemporaryDirectory() as own:
            yield Path(own)
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as own:
        image, folder = Path(own) / "xfs.img", Path(own) / "mounted"
        folder.mkdir()
        image.touch()
        os.truncate(image, XFS_BYTES)
        run_program("mkfs.xfs", "-q", str(image))
        leave_mounts()
        run_program("mount", "-o", "loop", str(image), str(folder))
        try:
            yield folder
        finally:
            run_program("umount", "--lazy", str(folder))  # a process may end only now


def run_program(*words: str) -> None:
    subprocess.run(words, check=True)


def leave_mounts() -> None:
    """From now on this thread, and what it starts, mounts for itself alone."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):  # os.unshare needs Python 3.12
        raise OSError(ctypes.get_errno(), "unshare")
    run_program("mount", "--make-rprivate", "/")


@contextmanager
def running(cluster: Cluster, image: Image, counts: Sequence[int]) -> Iterator[Machine]:
    """A guest with both databases at work, on the volumes of the machine with the most disks."""
    machines = [machine(count) for count in counts]
    for each in machines:
        cluster.create_namespace(each.namespace)
    cluster.create_vms(machines)
    volumes = real_guest.disks(cluster, machines[-1])
    with tempfile.TemporaryDirectory() as folder, ExitStack() as power:
        aside = {label: Path(folder) / label for label in real_guest.SIZES if label not in volumes}
        installed = {**volumes, **aside}
        real_guest.fill({label: installed[label] for label in real_guest.SIZES}, image)
        for each in machines[:-1]:
            for label, volume in real_guest.disks(cluster, each).items():
                volume.unlink()
                volume.hardlink_to(volumes[label])
        spares = {label: path for label, path in volumes.items() if label.startswith(SPARE)}
        guest = Machine(image, {label: installed[label] for label in (*real_guest.SIZES, *spares)})
        power.callback(guest.close)
        with guest.agent() as agent:
            agent.write(HOOKS[AS_SAMPLE], (CLIENT + SAMPLE.read_text()).encode(), "755")
        guest.wait_for_shell()
        for database in DATABASES:
            guest.run(real_guest.is_running(database))
            guest.run(f"systemctl start commits@{database}")
        for number, _ in enumerate(spares):
            guest.run(mounted(number))
        for each in machines:
            cluster.node.give_agent(each.namespace, each.name, guest.agent_socket)
            cluster.node.give_console(each.namespace, each.name, guest.console_log)
        yield guest


def machine(count: int) -> Described:
    """Its disks are those of the guest's image as far as they go, then empty ones."""
    own = real_guest.described(f"disks-{count}", "db", {})
    disks = [*own.disks, *own.hotplugged]
    disks += [Disk(f"{SPARE}{number}", "Block", "64Mi") for number in range(count - len(disks))]
    return replace(own, disks=tuple(disks[:count]), hotplugged=())


def mounted(number: int) -> str:
    """A script: one of the empty disks is in use too."""
    device = f"/dev/vd{chr(ord('a') + len(real_guest.SIZES) + number)}"
    return f"mkfs.ext4 -q {device}; mkdir -p /srv/{number}; mount {device} /srv/{number}"


def measure(cluster: Cluster, guest: Machine, counts: Sequence[int]) -> None:
    """Prints a row as soon as it is measured."""
    print(f"{'snapshots by':<20}{'disks':>6}  {'hook':<24}{'frozen s':>9}{'cut s':>7}", end="")
    print("".join(f"{database + ' s':>14}" for database in DATABASES), "  plugin MB  evidence")
    compared = max((count for count in counts if count <= COMPARED), default=counts[0])
    for name, way in WAYS.items():
        with prepared(cluster, way):
            call(guest, HOOKS[OURS])
            for count in counts:
                row(cluster, guest, name, count, OURS)
            for hook in (NONE, AS_SAMPLE) if way.is_ours else ():
                call(guest, HOOKS[hook])
                row(cluster, guest, name, compared, hook)


def call(guest: Machine, hook: str) -> None:
    """The agent calls that hook from now on, or none."""
    setting = f"fsfreeze-hook={hook}\\n" if hook else ""
    guest.shell(f"printf '[general]\\n{setting}' >/etc/qemu/qemu-ga.conf")
    guest.shell("systemctl restart qemu-guest-agent", 120)
    with guest.agent():  # it answers
        time.sleep(SETTLE_S)


def row(cluster: Cluster, guest: Machine, taker: str, count: int, hook: str) -> None:
    """Measures and prints a row; one that fails, on a busy machine, costs no other."""
    print(f"{taker:<20}{count:>6}  {hook:<24}", end="", flush=True)
    way = WAYS[taker]
    rounds = ROUNDS if way.is_ours and hook == OURS else 1
    try:
        found = [backup(cluster, guest, count, way) for _ in range(rounds)]
    except Incomplete as error:
        print(f"failed:\n{error}", flush=True)
    else:
        tell(found)


def backup(cluster: Cluster, guest: Machine, count: int, way: Way) -> Measured:
    for commits in guest.commits.values():
        commits.wait(more=20)
    before = len(cluster.freezes())
    with watched(cluster) as plugin_mb:
        done = snapshots.backup(cluster, way, f"disks-{count}").backup
    for commits in guest.commits.values():
        commits.wait(more=20)
    frozen, thawed = (call.time for call in cluster.freezes()[before:] if call.has_changed)
    stalls = {name: each.longest_stall_s(frozen, thawed) for name, each in guest.commits.items()}
    every = [cut for each in cluster.snapshots_cut().values() for cut in each]
    cuts = [cut for cut in every if cut.started > frozen]
    for bytes_of in (cluster.storage.folder / "snapshots").iterdir():
        bytes_of.unlink()  # the next backup shall not wait for this one to reach the host's disk
    return Measured(
        (thawed - frozen).total_seconds(),
        max((cut.finished - cut.started).total_seconds() for cut in cuts),
        stalls,
        plugin_mb(),
        frozenset(map(told, shown(cluster.archive, done).evidence.values())),
    )


def told(evidence: Evidence) -> str:
    lacks = ", ".join(one.code for one in evidence.missing)
    is_known = evidence.machine_level != Level.UNKNOWN
    return evidence.machine_level if is_known else f"unknown ({lacks})"


@contextmanager
def watched(cluster: Cluster) -> Iterator[Callable[[], float]]:
    """The most MB that one process of the plugin has had meanwhile, as far as it was seen."""
    seen, is_over = [0.0], threading.Event()

    def look() -> None:
        while not is_over.wait(LOOK_S):
            for process in cluster.velero.plugin_processes():
                with suppress(OSError):  # it ended meanwhile
                    seen.append(peak_mb(process))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: max(seen)
    finally:
        is_over.set()
        thread.join()


def peak_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def tell(found: Sequence[Measured]) -> None:
    frozen_s, cut_s = median(one.frozen_s for one in found), median(one.cut_s for one in found)
    print(f"{frozen_s:>9.2f}{cut_s:>7.2f}", end="")
    for database in DATABASES:
        print(f"{median(one.stall_s[database] for one in found):>14.2f}", end="")
    levels = ", ".join(sorted({level for one in found for level in one.levels}))
    print(f"{max(one.plugin_mb for one in found):>13.0f}  {levels}", flush=True)
