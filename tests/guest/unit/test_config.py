import os
import unittest

from stillpoint_guest import console
from stillpoint_guest.errors import ConfigurationError, UntrustedFile
from stillpoint_guest.options import config

from tests.guest.unit.folders import FolderCase
from tests.guest.unit.scripted import Scripted


class ConfigurationIsStrict(FolderCase):
    def load(self, content: str) -> config.Configuration:
        self.write("guest.conf", content)
        return config.load(self.places(), [Scripted])

    def refusal(self, content: str) -> str:
        with self.assertRaises(ConfigurationError) as caught:
            self.load(content)
        return str(caught.exception)

    def test_no_file_is_no_error(self) -> None:
        configuration = config.load(self.places(), [Scripted])
        self.assertEqual(configuration.sections, ())
        self.assertTrue(configuration.has_discovery)
        self.assertEqual(configuration.profile.freeze_s, 15)

    def test_a_section_has_the_defaults_of_the_profile_and_what_it_says_itself(self) -> None:
        read = self.load(
            "[stillpoint-guest]\nprofile = fast\n[db]\ntype = scripted\nlock_s = 0.5\norder = 7\n"
            "required = no\nmethod = firmly\nfails = lock\n"
        )
        section = read.sections[0]
        self.assertEqual((section.prepare_s, section.lock_s, section.release_s), (2, 0.5, 10))
        self.assertEqual((section.order, section.required, section.method), (7, False, "firmly"))
        self.assertEqual(section.options, {"fails": "lock"})
        self.assertEqual(read.profile.freeze_s, 4)

    def test_drop_ins_win_key_by_key(self) -> None:
        self.write("guest/conf.d/10.conf", "[db]\nlock_s = 2\n")
        self.write("guest/conf.d/20.conf", "[db]\nlock_s = 1\n")
        section = self.load("[db]\ntype = scripted\norder = 3\n").sections[0]
        self.assertEqual((section.order, section.lock_s), (3, 1))

    def test_the_type_is_the_beginning_of_the_name_if_nothing_is_said(self) -> None:
        self.assertEqual(self.load("[scripted:one]\n").sections[0].kind, "scripted")

    def test_a_disabled_section_is_left_alone(self) -> None:
        read = self.load("[scripted:one]\nenabled = no\n")
        self.assertEqual((read.sections, read.disabled), ((), ("scripted:one",)))

    def test_a_console_is_the_kernels_or_none_or_a_device(self) -> None:
        self.assertEqual(self.load("").console, console.KERNELS)
        for written, read in (
            ("on", console.KERNELS),
            ("no", console.NONE),
            ("/dev/ttyS1", "/dev/ttyS1"),
        ):
            said = self.load(f"[stillpoint-guest]\nconsole = {written}\n")
            self.assertEqual(said.console, read)
        for wrong in ("ttyS0", "/etc/passwd", "", "maybe"):
            told = self.refusal(f"[stillpoint-guest]\nconsole = {wrong}\n")
            self.assertIn(
                f"console = {wrong} is not yes, no or a path that begins with /dev/", told
            )

    def test_an_unknown_key_names_the_nearest(self) -> None:
        told = self.refusal("[db]\ntype = scripted\nlokc_s = 2\n")
        self.assertIn("guest.conf [db]", told)
        self.assertIn("no key 'lokc_s' here; HINT: the nearest is 'lock_s'", told)

    def test_what_makes_no_sense_is_told_with_file_section_and_key(self) -> None:
        for line, cause in (
            ("lock_s = soon", "lock_s = soon is not a number of seconds"),
            ("lock_s = -1", "lock_s = -1 is not a number of seconds above 0"),
            ("lock_s = nan", "lock_s = nan is not a number of seconds above 0"),
            ("order = first", "order = first is not a whole number"),
            ("required = maybe", "required = maybe is not yes or no"),
            ("method = kindly", "method = kindly is not one of gently, firmly"),
            ("type = scriptet", "there is no type 'scriptet'; HINT: type = scripted"),
        ):
            with self.subTest(line):
                content = line if line.startswith("type") else "type = scripted\n" + line
                told = self.refusal("[db]\n" + content + "\n")
                self.assertIn("[db]", told)
                self.assertIn(cause, told)
        self.assertIn("one of fast, normal", self.refusal("[stillpoint-guest]\nprofile = quick\n"))

    def test_what_is_no_ini_file_is_told_with_its_path(self) -> None:
        for content in ("just words\n", "[db\n", "[db]\n[db]\n", "[db]\na=1\na=2\n"):
            with self.subTest(content):
                self.assertIn("guest.conf: read it: ", self.refusal(content))

    def test_what_others_can_write_is_not_read(self) -> None:
        """Hazard 14."""
        path = self.write("guest.conf", "[scripted:one]\n")
        for mode in (0o620, 0o602):
            os.chmod(path, mode)
            with self.assertRaises(UntrustedFile) as caught:
                config.load(self.places(), [Scripted])
            self.assertIn("chmod go-w", str(caught.exception))

    def test_a_folder_that_others_can_write_is_as_bad(self) -> None:
        self.write("guest.conf", "[scripted:one]\n")
        os.chmod(self.folder, 0o777)
        with self.assertRaises(UntrustedFile) as caught:
            config.load(self.places(), [Scripted])
        self.assertIn(self.folder + " can be written by others", str(caught.exception))

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_what_belongs_to_somebody_else_is_not_read(self) -> None:
        path = self.write("guest.conf", "[scripted:one]\n")
        os.chown(path, 65534, -1)
        with self.assertRaises(UntrustedFile) as caught:
            config.load(self.places(), [Scripted])
        self.assertIn("belongs to user 65534", str(caught.exception))

    def test_a_secret_is_read_from_a_file_of_root_alone(self) -> None:
        path = self.write("password", "pass word\n", 0o644)
        section = self.load("[scripted:one]\nfails = " + path + "\n").sections[0]
        with self.assertRaises(UntrustedFile):
            section.secret("fails")
        os.chmod(path, 0o600)
        self.assertEqual(section.secret("fails"), b"pass word")
