"""A holder of one driver, to be killed: `python -m tests.guest.held_driver SECTION NOTES`.

It brings the application to rest, prints a line, and waits for its input to end.
"""

import json
import os
import sys

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.program import ENVIRONMENT
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.cases.case import KINDS


def main() -> None:
    ENVIRONMENT["PATH"] = os.environ["STILLPOINT_TEST_PATH"]  # of scripted peers
    section = Section(**json.loads(sys.argv[1]))
    driver = KINDS[section.kind](section, UndoJournal(sys.argv[2], section))
    driver.prepare(Deadline.after(section.prepare_s))
    with driver.quiesce(Deadline.after(section.lock_s)):
        os.write(1, b"held\n")
        sys.stdin.read()


if __name__ == "__main__":
    main()
