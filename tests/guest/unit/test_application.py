import os
import threading
import time
import unittest

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.drivers.script.driver import Script
from stillpoint_guest.errors import DeadlinePassed
from stillpoint_guest.holder.application import Application
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.unit.folders import FolderCase

HANGS = "#!/bin/sh\nexec sleep 1000\n"
TAKES_ITS_TIME = "#!/bin/sh\nsleep 1\ntouch {}\n"  # more than the holder's grace


class AScriptThatIsLate(FolderCase):
    def test_its_other_half_is_run_to_its_end_though_the_holder_has_given_it_up(self) -> None:
        freeze = self.write("freeze", HANGS, 0o700)
        thaw = self.write("thaw", TAKES_ITS_TIME.format(self.path("thawed")), 0o700)
        options = {"freeze": freeze, "thaw": thaw}
        section = Section("late", Script.KIND, method="pair", options=options)
        note = UndoJournal(self.folder, section)
        with Application(Script(section, note), threading.Event()) as application:
            pending = application.begin_prepare(Deadline.after(20))
            application.finish_prepare(pending, Deadline.after(20))
            with self.assertRaises(DeadlinePassed):
                application.lock(Deadline.after(2))
        end_s = time.monotonic() + 60
        while application.is_hanging():
            self.assertLess(time.monotonic(), end_s)
            time.sleep(0.01)
        self.assertTrue(os.path.exists(self.path("thawed")))
        self.assertIsNone(note.read(), "nothing is left to be undone")


if __name__ == "__main__":
    unittest.main()
