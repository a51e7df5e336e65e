"""A folder for a test, and files in it; Python 3.6, as everything in this folder."""

import os
import shutil
import tempfile
import unittest
from unittest import mock

from stillpoint_guest.places import Places


class FolderCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stillpoint-unit-", dir=_memory())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        # What else runs on this machine, an etcd of other tests for instance, is none of a plan's.
        alone = mock.patch("stillpoint_guest.processes.process_table.scan", return_value=())
        alone.start()
        self.addCleanup(alone.stop)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, name: str, content: str, mode: int = 0o600) -> str:
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def places(self) -> Places:
        return Places(self.path("guest.conf"), self.path("run"), self.path("state"))


def _memory() -> str:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
