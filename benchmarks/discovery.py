"""How long a look at what runs takes, in a guest with very many processes and mounts."""

import contextlib
import shutil
import statistics
import subprocess
from collections.abc import Iterator

from tests.guest.lab import impostor
from tests.guest.lab.lab import Lab, python

PROCESSES = 1500
MOUNTS = 1000
LOOKS = 9
CODE = """
import sys, time
sys.path.insert(0, "/run/stillpoint-guest.pyz")
from stillpoint_guest.drivers import DRIVERS
from stillpoint_guest.places import Places
from stillpoint_guest.holder.plan import plan
begin = time.perf_counter()
plan(Places(), DRIVERS)
print(time.perf_counter() - begin)
"""


def run() -> None:
    """Milliseconds of a plan, the median of nine: in a bare guest, and beside many processes."""
    with Lab({"/data/a": "ext4"}) as lab:
        print(f"{'bare':<42}{looked_ms(lab):>8.0f}")
        with many(lab, "sleeper"):
            print(f"{f'{PROCESSES} processes, {MOUNTS} mounts':<42}{looked_ms(lab):>8.0f}")
        with many(lab, "postgres"):
            print(f"{'the same, all called postgres by nobody':<42}{looked_ms(lab):>8.0f}")


@contextlib.contextmanager
def many(lab: Lab, name: str) -> Iterator[None]:
    shutil.copy(impostor.__file__, lab.path("/run/impostor.py"))
    binds = (
        f"for n in $(seq {MOUNTS}); do mkdir -p /run/m/$n; mount --bind /run/m/$n /run/m/$n; done"
    )
    lab.run("sh", "-c", binds, timeout_s=300)
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    words = (python(), "-I", "/run/impostor.py", name, "/run", "--count", str(PROCESSES))
    pipe = subprocess.PIPE
    started = subprocess.Popen(lab.command(*nobody, *words), stdin=pipe, stdout=pipe)
    try:
        assert started.stdout  # noqa: S101  it is a pipe
        for _ in range(PROCESSES):
            started.stdout.readline()
        yield
    finally:
        started.communicate()
        lab.run("sh", "-c", "umount /run/m/*", timeout_s=300)


def looked_ms(lab: Lab) -> float:
    took = []
    for _ in range(LOOKS):
        done = lab.run(python(), "-c", CODE)
        assert done.returncode == 0, done.stderr  # noqa: S101  a failed look is no figure
        took.append(float(done.stdout) * 1000)
    return statistics.median(took)
