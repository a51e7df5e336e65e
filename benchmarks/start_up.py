"""From exec to the handshake: what each backup, restore and operations tick of Velero pays."""

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plugins

RUNS = 15
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Start:
    """One start. CPU is user and system time of the process; RSS is taken right after."""

    wall_ms: float
    cpu_ms: float
    rss_mb: float


def run() -> None:
    """Plugins started in turns, each until its handshake line; medians."""
    with tempfile.TemporaryDirectory() as temporary:
        commands = {
            "Go framework": plugins.in_go(Path(temporary) / "go"),
            "stillpoint": plugins.payload(Path(temporary) / "payload"),
            "from its source": plugins.ours(Path(temporary) / "source"),
        }
        starts: dict[str, list[Start]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                starts[name].append(_start(command))
    print(f"{'':16}{'wall ms':>10}{'CPU ms':>10}{'RSS MB':>10}  at the handshake")
    for name, measured in starts.items():
        wall, cpu, rss = (
            statistics.median(getattr(start, key) for start in measured)
            for key in ("wall_ms", "cpu_ms", "rss_mb")
        )
        print(f"{name:16}{wall:10.0f}{cpu:10.0f}{rss:10.0f}")


def _start(command: Path) -> Start:
    begin = time.monotonic()
    process = subprocess.Popen(
        [command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "VELERO_PLUGIN": "hello"},
    )  # fmt: skip
    assert process.stdout  # noqa: S101 - it is a pipe
    process.stdout.readline()
    wall_s = time.monotonic() - begin
    usage = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{process.pid}/status").read_text()
    rss_kb = int(status.partition("VmRSS:")[2].split()[0])
    process.kill()
    process.wait()
    process.stdout.close()
    cpu_s = (int(usage[11]) + int(usage[12])) / _TICKS_PER_S
    return Start(wall_s * 1000, cpu_s * 1000, rss_kb / 1000)
