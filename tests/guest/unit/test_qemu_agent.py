import os
from typing import List

from stillpoint_guest.driver import Finding
from stillpoint_guest.hook import qemu_agent

from tests.guest.unit.folders import FolderCase

CONFIGURATION = "etc/qemu/qemu-ga.conf"


class TheAgentIsLookedAt(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.process("self", "python3")

    def process(self, number: str, *words: str, namespace: str = "1", rights: str = "ff") -> None:
        self.write(f"proc/{number}/comm", os.path.basename(words[0])[:15] + "\n")
        self.write(f"proc/{number}/cmdline", "".join(word + "\0" for word in words))
        self.write(f"proc/{number}/status", f"Name:\tx\nCapEff:\t{rights * 8}\n")
        os.makedirs(self.path(f"proc/{number}/ns"))
        os.symlink(f"pid:[{namespace}]", self.path(f"proc/{number}/ns/pid"))

    def found(self) -> "List[Finding]":
        return list(qemu_agent.findings(self.folder))

    def texts(self) -> str:
        return "\n".join(one.text for one in self.found())

    def test_what_its_configuration_blocks_is_named(self) -> None:
        for number, words in enumerate(
            (
                ("-b", "guest-exec,guest-fsfreeze-thaw"),
                ("-bguest-fsfreeze-thaw",),
                ("--block-rpcs=guest-file-open, guest-fsfreeze-thaw",),
                ("--blacklist", "guest-fsfreeze-thaw"),
                ("--allow-rpcs=guest-fsfreeze-freeze,guest-fsfreeze-status",),
            )
        ):
            self.process(str(100 + number), "/usr/sbin/qemu-ga", *words)
            told = [one for one in self.found() if "blocks guest-fsfreeze-thaw" in one.text]
            self.assertEqual(len(told), 1, words)
            self.assertTrue(told[0].is_blocking and not told[0].is_good)
            self.assertNotIn("guest-fsfreeze-freeze", told[0].text)
            os.rename(self.path(f"proc/{100 + number}"), self.path(f"gone{number}"))

    def test_so_it_is_in_its_own_file_or_the_one_that_it_was_given(self) -> None:
        blocking = "[general]\nblock-rpcs = guest-exec,guest-fsfreeze-status\n"
        self.write(CONFIGURATION, blocking)
        self.process("100", "qemu-ga")
        self.assertIn("blocks guest-fsfreeze-status", self.texts())
        self.write(CONFIGURATION, "[general]\nblock-rpcs = guest-exec\n")
        self.assertNotIn("blocks", self.texts())
        self.write("srv/own.conf", blocking)
        os.rename(self.path("proc/100"), self.path("gone"))
        self.process("100", "qemu-ga", "-c", "/srv/own.conf")
        self.assertIn("blocks guest-fsfreeze-status", self.texts())

    def test_one_that_may_not_freeze_is_named(self) -> None:
        self.process("100", "qemu-ga", rights="00")
        self.assertIn("without CAP_SYS_ADMIN", self.texts())
        self.write("proc/100/attr/current", "/usr/sbin/qemu-ga (enforce)\n")
        self.assertIn("AppArmor confines the agent (/usr/sbin/qemu-ga (enforce))", self.texts())

    def test_in_an_ordinary_guest_nothing_of_this_is_said(self) -> None:
        self.process("100", "/usr/sbin/qemu-ga", "--block-rpcs=guest-exec,guest-file-open")
        self.write("proc/100/attr/current", "unconfined\n")
        for word in ("blocks", "CAP_SYS_ADMIN", "AppArmor", "does not run"):
            self.assertNotIn(word, self.texts())

    def test_one_in_a_container_is_not_the_guests(self) -> None:
        self.process("100", "qemu-ga", namespace="2")
        self.assertIn("qemu-guest-agent does not run", self.texts())

    def test_an_agent_that_does_not_call_us_is_said_to_and_how_it_will(self) -> None:
        self.process("100", "qemu-ga")
        told = {one.text: one.hint for one in self.found() if not one.is_good}
        self.assertIn("stillpoint-guest hook on", told["the agent runs no freeze hook"])
        os.rename(self.path("proc/100"), self.path("gone"))
        self.process("100", "qemu-ga", "-F/bin/true")
        told = {one.text: one.hint for one in self.found() if not one.is_good}
        text = "the agent's freeze hook /bin/true is not stillpoint-guest"
        self.assertIn("stillpoint-guest hook on", told[text])

    def test_a_hook_is_named_in_the_same_word(self) -> None:
        """getopt takes no value from the next word for an option that may have none."""
        for words, hook in (
            (("-F/opt/hook",), "/opt/hook"),
            (("--fsfreeze-hook=/opt/hook",), "/opt/hook"),
            (("-F", "/opt/hook"), qemu_agent.DEFAULT_HOOK),
        ):
            self.process("100", "qemu-ga", *words)
            self.assertIn(hook, self.texts())
            os.rename(self.path("proc/100"), self.path("gone" + words[0].replace("/", "_")))
