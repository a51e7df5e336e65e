"""The command `stillpoint`."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.parser import parser
from stillpoint.model.errors import StillpointError
from stillpoint.model.names import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: without the program's name; None for those of the process.

    Returns:
        The exit status.
    """
    given = parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except StillpointError as error:
        from stillpoint.cli.output import terminal  # noqa: PLC0415 - a quick verb does without rich

        terminal.write_error(terminal.console(sys.stderr), error)
        return ExitStatus.CANNOT_TELL
    except KeyboardInterrupt:
        if sys.stderr:
            sys.stderr.write("stillpoint: interrupted\n")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:  # `stillpoint ... | head`
        return ExitStatus.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - Python's own status is 1: not safe
        _write_fault(error)
        return ExitStatus.CANNOT_TELL


def _write_fault(error: Exception) -> None:
    """Writes in one line what nobody foresaw, and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    said = printable(f"stillpoint: {what} ({Path(place.filename).name}:{place.lineno})")
    if sys.stderr:
        sys.stderr.write(f"{said}\nHINT: this is a fault of the command: please report it\n")
