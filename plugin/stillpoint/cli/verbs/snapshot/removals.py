"""The removal of `stillpoint snapshot delete` and `prune`."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint.cli import times
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.names import counted

if TYPE_CHECKING:
    from stillpoint.cluster.kubernetes_writer import KubernetesWriter
    from stillpoint.vm_snapshots.removal import Identity, Judged, Remains

_TIMEOUT_S = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of both."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--wait", action="store_true", help="until they are gone; then says what is left of them"
    )
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=times.seconds,
        default=_TIMEOUT_S,
        help=f"of --wait: {place.WAIT_HELP}; default: 2m",
    )


def remove_and_write(
    cluster: "KubernetesWriter",
    found: "Sequence[Judged]",
    look_again: "Callable[[], Sequence[Judged]]",
    arguments: argparse.Namespace,
) -> ExitStatus:
    """Deletes the snapshots that go, in their order, and writes what became of each.

    Args:
        look_again: judges again, after the question, which may have stood there for long.
    """
    from stillpoint.cli.output import question, terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import removals  # noqa: PLC0415
    from stillpoint.vm_snapshots import removal  # noqa: PLC0415

    going = [one for one in found if one.goes]
    removals.write_intention(found, terminal.console(sys.stderr))
    count = counted(len(going), "snapshot")
    if not arguments.yes and not question.is_agreed(f"Delete {count}?"):
        return ExitStatus.INTERRUPTED
    confirmed = removal.confirmed(going, look_again())
    kept = [one for one in confirmed if not one.goes]
    write_kept(kept)
    asked, errors = _delete(cluster, [one for one in confirmed if one.goes])
    left, remains = _wait(cluster, asked, arguments)
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(removals.text(found, asked, left, remains).encode())
        else:
            removals.write(asked, left, remains, terminal.console(output))
    for error in errors:
        terminal.write_error(terminal.console(sys.stderr), error)
    if errors or (arguments.wait and left):
        return ExitStatus.CANNOT_TELL
    return ExitStatus.NOT_SAFE if kept else ExitStatus.GOOD


def write_kept(kept: "Sequence[Judged]") -> None:
    """Says of snapshots that were to go why they stay."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415

    for one in kept:
        text = f"{one.state.title} is not deleted: {one.why}"
        terminal.write_line(terminal.console(sys.stderr), text)


def _delete(
    cluster: "KubernetesWriter", going: "Sequence[Judged]"
) -> "tuple[Sequence[Identity], Sequence[StillpointError]]":
    from stillpoint.resources.vm_snapshots import virtual_machine_snapshot  # noqa: PLC0415
    from stillpoint.vm_snapshots import removal  # noqa: PLC0415

    asked: list[Identity] = []
    errors: list[StillpointError] = []
    for one in going:
        identity = it.identify(one.state.item)
        try:
            cluster.delete(
                virtual_machine_snapshot.RESOURCE,
                *identity,
                uid=it.uid(one.state.item),
                version=removal.judged_version(one),
            )
            asked.append(identity)
        except StillpointError as error:
            errors.append(error)
    return asked, errors


def _wait(
    cluster: "KubernetesWriter", asked: "Sequence[Identity]", arguments: argparse.Namespace
) -> "tuple[Sequence[Identity], dict[str, Remains]]":
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.model.clock import Clock  # noqa: PLC0415
    from stillpoint.vm_snapshots import removal  # noqa: PLC0415

    if not arguments.wait:
        return asked, {}
    clock = Clock(lambda: datetime.now(UTC), time.sleep)
    with terminal.progress(terminal.console(sys.stderr)) as progress:
        left = removal.wait_until_gone(cluster, asked, arguments.timeout, clock, progress)
    return sorted(left), {one: removal.remains(cluster, one) for one in sorted(dict(asked))}
