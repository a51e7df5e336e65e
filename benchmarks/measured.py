"""The command `stillpoint`; its CPU seconds and its peak memory in KB end standard error."""

import sys
import time
from pathlib import Path

from stillpoint import cli


def _peak_kb() -> int:
    """`getrusage` counts what a process was before it became another program: its parent's fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    status = cli.main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.write(f"{time.process_time():.2f} {_peak_kb()}\n")
    sys.exit(status)
