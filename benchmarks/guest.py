"""What our client and holder add to a freeze and a thaw, without any application to wait for."""

import itertools
import resource
import statistics
import subprocess
import time
from pathlib import Path

from stillpoint_guest import build
from tests.guest.lab.lab import COMMAND, Lab

CYCLES = 30
STARTS = 50
CONFIGURATION = "[stillpoint-guest]\ndiscovery = {}\n"


def run() -> None:
    """What client and holder add to a freeze and its thaw, each the whole of a process."""
    with Lab({"/data/a": "ext4"}) as lab:
        print(f"{'milliseconds':<26}{'p10':>8}{'median':>8}")
        for name, discovery in (("no discovery", "no"), ("with discovery", "yes")):
            lab.path("/etc/stillpoint-guest.conf").write_text(CONFIGURATION.format(discovery))
            lab.guest("freeze")  # starts the holder
            lab.guest("thaw")
            empty = cycles(lab, ("true",), ("true",))
            ours = cycles(lab, (COMMAND, "freeze"), (COMMAND, "thaw"))
            print(
                f"{name:<26}{tenth(ours) - tenth(empty):>8.1f}{middle(ours) - middle(empty):>8.1f}"
            )
        bare = cpu_ms(lab, build.INTERPRETER, "-ISBc", "pass")
        print(
            f"\nCPU per start: thaw {cpu_ms(lab, COMMAND, 'thaw'):.1f} ms, bare Python {bare:.1f}"
        )
        print(f"holder: {resident_kb(lab) / 1024:.1f} MB resident, every driver imported")


def cycles(lab: Lab, freeze: tuple[str, ...], thaw: tuple[str, ...]) -> list[float]:
    """Milliseconds of each pair of commands, the way into the lab included."""
    took = []
    for _ in range(CYCLES):
        begin = time.perf_counter()
        for words in (freeze, thaw):
            done = lab.run(*words)
            assert done.returncode == 0, done.stderr  # noqa: S101  a failed cycle is no figure
        took.append((time.perf_counter() - begin) * 1000)
    return took


def cpu_ms(lab: Lab, *words: str) -> float:
    """User and system time of a command, without the way into the lab; the median."""
    return middle(cpu(lab, *words)) - middle(cpu(lab, "true"))


def cpu(lab: Lab, *words: str) -> list[float]:
    used = [total_cpu_ms()]
    for _ in range(STARTS):
        subprocess.run(lab.command(*words), check=True)
        used.append(total_cpu_ms())
    return [after - before for before, after in itertools.pairwise(used)]


def total_cpu_ms() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (children.ru_utime + children.ru_stime) * 1000


def tenth(figures: list[float]) -> float:
    return statistics.quantiles(figures, n=10)[0]


def middle(figures: list[float]) -> float:
    return statistics.median(figures)


def resident_kb(lab: Lab) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            same = (process / "ns/mnt").readlink() == Path(f"/proc/{lab.process}/ns/mnt").readlink()
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if same and b"holder" in words:
            lines = (process / "status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return 0
