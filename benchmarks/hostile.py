"""What hostile processes of users without rights add to a freeze and its thaw."""

import contextlib
import shutil
import subprocess
from collections.abc import Sequence

from benchmarks.guest import cycles, middle
from tests.guest.databases import as_user
from tests.guest.lab.inside import beside_a_crowd, configure, status, until
from tests.guest.lab.lab import COMMAND, Lab

CROWD = 30
FOLDER = "/data/a/redis"
SERVER = ("redis-server", "--port", "0", "--unixsocket", f"{FOLDER}/s", "--dir", FOLDER)


def run() -> None:
    """Milliseconds of a freeze and its thaw with a real Redis: alone, and beside 30 of them."""
    with Lab({"/data/a": "ext4"}) as lab, contextlib.ExitStack() as ended:
        configure(lab, discovery="yes")
        lab.path(FOLDER).mkdir()
        shutil.chown(lab.path(FOLDER), "redis")
        words = lab.command(*as_user("redis"), *SERVER, "--appendonly", "yes")
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        ended.callback(server.wait)
        ended.callback(server.kill)
        until(lab.path(f"{FOLDER}/s").exists, "Redis listens")
        lab.guest("freeze")  # starts the holder
        lab.guest("thaw")
        print(f"{'beside':<26}{'median':>8}{'longest':>8}")
        tell("nobody", measured(lab))
        with beside_a_crowd(lab, CROWD):
            tell(f"{CROWD} of every kind", measured(lab))
            assert len(status(lab)["warnings"]) > 1  # noqa: S101  they were there


def measured(lab: Lab) -> Sequence[float]:
    return cycles(lab, (COMMAND, "freeze"), (COMMAND, "thaw"))


def tell(beside: str, took: Sequence[float]) -> None:
    print(f"{beside:<26}{middle(list(took)):>8.0f}{max(took):>8.0f}")
