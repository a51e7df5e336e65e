"""The wait of `stillpoint snapshot create --wait` and `stillpoint snapshot wait`."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint.cli import times
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place

if TYPE_CHECKING:
    from stillpoint.model.level import Level
    from stillpoint.model.reader import Reader
    from stillpoint.vm_snapshots.waiting import Awaited

_BEYOND_DEADLINE_S = 30.0
"""KubeVirt notes within seconds that a deadline has passed."""

_WITHOUT_DEADLINE_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `create`."""
    parser.add_argument(
        "--wait", action="store_true", help="until it is ready, or never will be; shows progress"
    )
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=times.seconds,
        help=f"of --wait: {place.WAIT_HELP}; default: the deadline and half a minute",
    )


def longest_s(arguments: argparse.Namespace, deadline: str) -> float:
    """Seconds of the wait: as asked, else a little longer than KubeVirt's own deadline."""
    from stillpoint.vm_snapshots import creation  # noqa: PLC0415

    if arguments.timeout is not None:
        return float(arguments.timeout)
    limit = creation.deadline_s(deadline)
    return _WITHOUT_DEADLINE_S if limit is None else limit + _BEYOND_DEADLINE_S


def wait_and_write(
    cluster: "Reader",
    wanted: Sequence[tuple[str, str]],
    longest_s: float,
    arguments: argparse.Namespace,
    required: "Level | None" = None,
) -> ExitStatus:
    """Waits for the snapshots, writes how they stand, and says what that is worth.

    Args:
        wanted: namespace and name of each.
        longest_s: seconds; 0 for a look without a wait.
        required: the level that each has to reach.
    """
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import document, snapshots  # noqa: PLC0415
    from stillpoint.model.clock import Clock  # noqa: PLC0415
    from stillpoint.vm_snapshots import waiting  # noqa: PLC0415

    clock = Clock(lambda: datetime.now(UTC), time.sleep)
    said = terminal.console(sys.stderr)
    with terminal.progress(said) as report:
        end = waiting.wait(cluster, wanted, longest_s, clock, report)
    states = list(end.states.values())
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(document.text(states).encode())
        else:
            snapshots.write(states, clock.now(), terminal.console(output))
    return _status(end, required, longest_s)


def _status(end: "Awaited", required: "Level | None", longest_s: float) -> ExitStatus:
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.model.level import satisfies  # noqa: PLC0415
    from stillpoint.vm_snapshots.state import Standing  # noqa: PLC0415

    said = terminal.console(sys.stderr)
    for namespace, name in end.gone:
        terminal.write_line(said, f"{namespace}/{name}: there is no such snapshot")
    low = [
        one
        for one in end.states.values()
        if required and one.standing is Standing.READY and not satisfies(one.level, required)
    ]
    for one in low:
        terminal.write_line(said, f"{one.title}: {one.level} is below the required {required}")
    standings = {one.standing for one in end.states.values()}
    if end.gone or low or Standing.FAILED in standings:
        return ExitStatus.NOT_SAFE
    if not end.is_over and longest_s:
        terminal.write_line(said, f"not ready within {longest_s:g} s")
    return ExitStatus.GOOD if standings <= {Standing.READY} else ExitStatus.CANNOT_TELL
