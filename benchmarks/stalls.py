"""How long databases under load acknowledge nothing around a freeze, with four hooks in turns."""

import contextlib
import statistics
import tempfile
import time
from pathlib import Path

from tests.cluster.processes import Processes
from tests.guest import databases
from tests.guest.lab.agent import Agent
from tests.guest.lab.lab import COMMAND, Lab
from tests.guest.load import Load, SqlWriter, running

ROUNDS = 7
BEFORE_S = 1.2  # more than how far around a freeze a stall is looked for
AFTER_S = 2.2
OURS = "stillpoint-guest"
SCRIPTS = {
    "a plain lock script": "lock.sh",
    "as QEMU's MySQL sample": "fifo.sh",
}
Stalls = dict[str, dict[str, list[float]]]  # of each hook, of each database, in seconds


def run() -> None:
    """Commit stalls of a freeze that is thawed at once: no hook, two usual ones, and ours."""
    with (
        tempfile.TemporaryDirectory() as logs,
        Lab({"/data/pg": "ext4", "/data/my": "xfs"}) as lab,
        contextlib.closing(Processes(Path(logs), [])) as processes,
        contextlib.ExitStack() as at_first,
    ):
        at_first.callback(lab.thaw)
        settings = ("max_wal_size=64MB",)
        postgresql = databases.Postgres(Path("/data/pg/server"), processes, settings=settings)
        mariadb = databases.MariaDB(Path("/data/my/server"), processes)
        for server in (postgresql, mariadb):
            server.prefix = lab.command()
            server.seen = lambda path: lab.path(str(path))
            server.up()
        tell(measured(lab, postgresql, mariadb))


def measured(lab: Lab, postgresql: databases.Postgres, mariadb: databases.MariaDB) -> Stalls:
    hooks = {"none": (), **installed(lab, postgresql, mariadb), OURS: (option(COMMAND),)}
    stalls: Stalls = {hook: {} for hook in hooks}
    postgresql_writer = SqlWriter(postgresql.client(), "INSERT INTO probe VALUES ({0})")
    insert = "INSERT INTO shop.probe VALUES ({0})"
    loads = [
        Load("postgresql", postgresql_writer),
        Load("mariadb", SqlWriter(mariadb.client("--unbuffered"), insert)),
    ]
    with running(loads):
        for _ in range(ROUNDS):
            for hook, options in hooks.items():
                begin_s, end_s = cycle(lab, options)
                for load in loads:
                    stall_s = load.longest_stall_s(begin_s, end_s)
                    stalls[hook].setdefault(load.name, []).append(stall_s)
    return stalls


def installed(
    lab: Lab, postgresql: databases.Postgres, mariadb: databases.MariaDB
) -> dict[str, tuple[str, ...]]:
    """The scripts, with the ways to the servers; and the agent's options to run each."""
    skipped = len(lab.command())
    head = "#!/bin/sh\n"
    head += f"MARIADB='{' '.join(mariadb.client('--unbuffered')[skipped:])}'\n"
    head += f"PSQL='{' '.join(postgresql.client()[skipped:])}'\n"
    for name in SCRIPTS.values():
        script = lab.path(f"/run/{name}")
        script.write_text(head + (Path(__file__).parent / "hooks" / name).read_text())
        script.chmod(0o755)
    return {hook: (option(f"/run/{name}"),) for hook, name in SCRIPTS.items()}


def option(hook: str) -> str:
    return f"--fsfreeze-hook={hook}"


def cycle(lab: Lab, options: tuple[str, ...]) -> tuple[float, float]:
    """When a freeze was asked for, and when its thaw was answered."""
    with Agent(lab, options) as agent:
        time.sleep(BEFORE_S)
        begin_s = time.monotonic()
        agent.freeze()
        agent.thaw()
        end_s = time.monotonic()
        time.sleep(AFTER_S)
    return begin_s, end_s


def tell(stalls: Stalls) -> None:
    """Medians, and ours as a multiple of each."""
    names = list(stalls[OURS])
    print(f"{'hook':<24}" + "".join(f"{name + ' ms':>16}{'ours is':>9}" for name in names))
    for hook, of_hook in stalls.items():
        line = f"{hook:<24}"
        for name in names:
            its, ours = statistics.median(of_hook[name]), statistics.median(stalls[OURS][name])
            line += f"{its * 1000:>16.0f}{ours / its:>9.2f}"
        print(line)
