"""`stillpoint history`: every backup that holds a machine, and how it is restored from one."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint import garbage
from stillpoint.cli import backup_source
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.model.errors import StillpointError
from stillpoint.model.names import listing

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.report.history import MachineBackup

NAME = "history"
HELP = "every backup that holds a machine: its age, level, whether it would come back, and how"
EXAMPLES = """\
examples:
  stillpoint history shop/db                 the backups of one machine in the cluster's Velero
  stillpoint history db web                  of machines of these names, in any namespace
  stillpoint history --from bucket/          of all machines, in the backups of an object store

exit status: 0 each named machine has a backup from which it would come back, 1 one has none,
2 wrong usage, 3 a backup could not be read
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "machines", metavar="VM", nargs="*", help="NAME or NAMESPACE/NAME (all that are there)"
    )
    backup_source.add_arguments(parser)
    parser.set_defaults(names=[])
    parser.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="default: table"
    )


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli import several_backups  # noqa: PLC0415
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.cli.output.backup_history import document, tables  # noqa: PLC0415
    from stillpoint.report import history  # noqa: PLC0415

    garbage.collect_less()
    reports, unread = several_backups.read(arguments)
    wanted = list(dict.fromkeys(arguments.machines))
    copies = list(history.copies(reports))
    found = [one for one in copies if not wanted or _fits(one, wanted)]
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(document.copies_text(found, unread).encode())
        elif found or not wanted:
            tables.write_copies(found, datetime.now(UTC), terminal.console(output))
    bare = [
        name for name in wanted if not any(_fits(one, [name]) and not one.wants for one in found)
    ]
    for name in bare:
        terminal.write_error(terminal.console(sys.stderr), _not_there(name, copies))
    if unread:
        return ExitStatus.CANNOT_TELL
    return ExitStatus.NOT_SAFE if bare else ExitStatus.GOOD


def _not_there(name: str, copies: Sequence["MachineBackup"]) -> StillpointError:
    """The error of a machine that no backup brings back."""
    subject, attempt = f"machine {name}", "cannot restore it"
    if any(_fits(one, [name]) for one in copies):
        return StillpointError(subject, attempt, "no backup that was read brings it back")
    there_are = listing(sorted({one.machine.title for one in copies}))
    hint = f"there are {there_are}" if there_are else ""
    return StillpointError(subject, attempt, "no backup that was read holds it", hint)


def _fits(copy: "MachineBackup", wanted: Sequence[str]) -> bool:
    return copy.machine.title in wanted or copy.machine.name in wanted
