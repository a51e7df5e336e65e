"""The command `stillpoint`."""

import sys
from collections.abc import Sequence

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.parser import parser
from stillpoint.model.errors import StillpointError


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
