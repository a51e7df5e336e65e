"""The command `stillpoint`; its CPU seconds and its peak memory in KB end standard error.

Both with those of its plugin process.
"""

import resource
import sys
import threading
import time
from pathlib import Path

from stillpoint import cli

_EVERY_S = 0.1


class Peak:
    """The peak of this process's children, the larger if there are several, looked at as they run.

    `getrusage` counts what a process was before it became another program: a fork of its parent.
    """

    def __init__(self) -> None:
        self.kb = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.kb = max(self.kb, *map(_peak_kb, _children()), 0)
            time.sleep(_EVERY_S)


def _children() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def _peak_kb(process: str) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    peak = Peak()
    status = cli.main(sys.argv[1:])
    sys.stdout.flush()
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu_s = sum(one.ru_utime + one.ru_stime for one in (own, children))
    sys.stderr.write(f"{cpu_s:.2f} {_peak_kb('self') + peak.kb}\n")
    sys.exit(status)
