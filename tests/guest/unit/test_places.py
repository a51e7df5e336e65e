"""Where the agent itself is: what it makes the hook, starts as holder, and runs as no script."""

import os
import subprocess
import sys

from stillpoint_guest import build
from stillpoint_guest.places import package_root

from tests.guest.unit.folders import FolderCase

SOURCES = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../../guest_hooks"))
ROOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from stillpoint_guest import places; "
    "from stillpoint_guest.drivers.script import driver; "
    "from stillpoint_guest.verbs import command_line; "
    "print(places.package_root(), driver._OURS, command_line._program())"
)


class TheAgentItself(FolderCase):
    def test_is_a_folder_of_sources(self) -> None:
        self.assertEqual(package_root(), SOURCES)

    def test_is_one_file_once_it_is_packed(self) -> None:
        program = os.path.realpath(self.path("stillpoint-guest"))
        build.build(program)
        told = subprocess.check_output([sys.executable, "-ISBc", ROOT, program])
        self.assertEqual(told.decode().split(), [program] * 3)
