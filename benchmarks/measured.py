"""The command `stillpoint`, and its peak memory in KB as the last word on standard error."""

import sys

from benchmarks.rehearse import peak_kb
from plugin import cli

if __name__ == "__main__":
    status = cli.main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.write(f"{peak_kb()}\n")
    sys.exit(status)
