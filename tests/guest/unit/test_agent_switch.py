import os
import unittest

from stillpoint_guest.errors import ConfigurationError
from stillpoint_guest.hook.agent_switch import Switch

from tests.guest.unit.folders import FolderCase

HOOK = "/usr/bin/stillpoint-guest"
OWN = "etc/qemu/qemu-ga.conf"
SYSCONFIG = "etc/sysconfig/qemu-ga"


class TheAgentsHookIsTurnedOnAndOff(FolderCase):
    def switch(self) -> Switch:
        return Switch(HOOK, "/var/lib/stillpoint-guest", self.folder)

    def read(self, name: str) -> str:
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def assert_given_back(self, name: str, before: str, on: str) -> None:
        self.write(name, before)
        self.assertTrue(self.switch().turn_on())
        self.assertEqual(self.read(name), on)
        self.assertFalse(self.switch().turn_on(), "an upgrade changes nothing")
        self.assertTrue(self.switch().turn_off())
        self.assertEqual(self.read(name), before)

    def test_a_hook_of_before_is_given_back(self) -> None:
        before = "# ours\n[general]\nverbose = true\nfsfreeze-hook = /opt/hook\n"
        on = f"# ours\n[general]\nverbose = true\nfsfreeze-hook={HOOK}\n"
        self.assert_given_back(OWN, before, on)

    def test_a_file_without_a_hook_is_as_it_was(self) -> None:
        before = "[general]\nverbose = true\n[other]\nfsfreeze-hook = no\n"
        on = f"[general]\nfsfreeze-hook={HOOK}\nverbose = true\n[other]\nfsfreeze-hook = no\n"
        self.assert_given_back(OWN, before, on)

    def test_red_hats_unit_reads_the_sysconfig_file(self) -> None:
        before = "FILTER=\nFSFREEZE_HOOK_PATHNAME=/etc/qemu-ga/fsfreeze-hook\n"
        on = f"FILTER=\nFSFREEZE_HOOK_PATHNAME={HOOK}\n"
        self.assert_given_back(SYSCONFIG, before, on)
        self.assertFalse(os.path.exists(os.path.join(self.folder, OWN)))

    def test_without_a_file_one_is_made(self) -> None:
        self.assertTrue(self.switch().turn_on())
        self.assertEqual(self.read(OWN), f"[general]\nfsfreeze-hook={HOOK}\n")

    def test_a_hook_that_was_changed_since_is_left_alone(self) -> None:
        self.write(OWN, "")
        self.switch().turn_on()
        self.write(OWN, "[general]\nfsfreeze-hook=/opt/other\n")
        self.assertFalse(self.switch().turn_off())
        self.assertIn("/opt/other", self.read(OWN))

    def test_a_file_that_is_no_text_is_named(self) -> None:
        path = os.path.join(self.folder, OWN)
        os.makedirs(os.path.dirname(path))
        with open(path, "wb") as file:
            file.write(b"\xff\xfe")
        with self.assertRaises(ConfigurationError) as caught:
            self.switch().turn_on()
        self.assertIn("qemu-ga.conf: read it", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
