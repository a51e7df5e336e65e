"""Runs the benchmarks: `python -m benchmarks [NAME...]`, all by default (`make bench`)."""

import argparse
import sys

from benchmarks import (
    backup,
    discovery,
    execute,
    frozen,
    guest,
    hostile,
    rehearse,
    report,
    restore,
    scale,
    snapshots,
    stalls,
    start_up,
    verify,
)

BENCHMARKS = {
    "execute": execute.run,
    "start-up": start_up.run,
    "scale": scale.run,
    "rehearse": rehearse.run,
    "report": report.run,
    "backup": backup.run,
    "snapshots": snapshots.run,
    "restore": restore.run,
    "verify": verify.run,
    "guest": guest.run,
    "discovery": discovery.run,
    "hostile": hostile.run,
    "stalls": stalls.run,
    "frozen": frozen.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME")
    parser.add_argument(
        "--disks",
        type=lambda text: tuple(map(int, text.split(","))),
        metavar="N,...",
        help="frozen: only guests of so many disks",
    )
    asked = parser.parse_args()
    for name in asked.name or BENCHMARKS:
        print(f"\n{name}: {BENCHMARKS[name].__doc__}\n", flush=True)
        if name == "frozen" and asked.disks:
            frozen.run(asked.disks)
        else:
            BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
