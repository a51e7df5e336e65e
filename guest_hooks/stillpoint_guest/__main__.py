"""The command `stillpoint-guest`.

QEMU's guest agent runs `freeze` and `thaw`: they are done before anything else is imported, print a
line on stderr if they fail, and exit with 0 or 1.
"""

import sys

from stillpoint_guest.errors import ConfigurationError, GuestError, HolderUnreachable
from stillpoint_guest.hook import client
from stillpoint_guest.places import Places

GOOD = 0
NOT_SAFE = 1
USAGE = 2
CANNOT_TELL = 3
_MOST_BYTES = 4096


def main(arguments: "list[str]") -> int:
    """Runs the command line (without the program's name) and gives the exit status."""
    sys.dont_write_bytecode = True  # a frozen disk would block the import for ever
    try:
        if arguments == ["freeze"]:
            client.freeze(Places())
            return GOOD
        if arguments == ["thaw"]:
            client.thaw(Places())
            return GOOD
        from stillpoint_guest.verbs import command_line  # noqa: PLC0415  the hook does without argparse

        return command_line.run(arguments)
    except (ConfigurationError, HolderUnreachable) as error:
        _say(error)
        return NOT_SAFE if arguments[-1:] in (["freeze"], ["thaw"]) else CANNOT_TELL
    except GuestError as error:
        _say(error)
        return NOT_SAFE
    except KeyboardInterrupt:
        return 130


def _say(error: GuestError) -> None:
    """Prints the error's line, which QEMU's agent passes to the caller of the freeze."""
    from stillpoint_guest.printable import printable  # noqa: PLC0415  the hook does without it

    sys.stderr.write(f"stillpoint-guest: {printable(str(error), _MOST_BYTES)}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
