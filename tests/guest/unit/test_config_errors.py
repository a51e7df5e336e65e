"""Every error of the configuration names file, section, key and remedy, whoever finds it."""

import os

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.drivers import DRIVERS
from stillpoint_guest.errors import ApplicationError, ConfigurationError, GuestError
from stillpoint_guest.holder import plan

from tests.guest.unit.folders import FolderCase

_TIMES = ("prepare_s", "lock_s", "release_s")
_MOST_OF_A_FILE = 64 * 1024

VALUES = (
    ("stillpoint-guest", "", "profile", "quick", "is not one of fast, normal; HINT: profile = n"),
    ("stillpoint-guest", "", "freeze_s", "soon", "is not a number of seconds; HINT: freeze_s = 15"),
    ("stillpoint-guest", "", "watchdog_s", "0", "above 0, up to a day; HINT: watchdog_s = 300"),
    ("stillpoint-guest", "", "watchdog_s", "1e300", "up to a day; HINT: watchdog_s = 300"),
    ("stillpoint-guest", "", "discovery", "perhaps", "is not yes or no; HINT: discovery = yes"),
    ("stillpoint-guest", "", "console", "ttyS0", "HINT: console = yes"),
    ("on-copy", "", "step_s", "-1", "above 0, up to a day; HINT: step_s = 60"),
    ("on-copy", "", "required", "1", "is not yes or no; HINT: required = no"),
    ("on-copy", "", "same_machine", "", "is not yes or no; HINT: same_machine = yes"),
    ("on-copy", "", "answers_s", "nan", "HINT: answers_s = 300"),
    ("redis", "", "order", "first", "is not a whole number; HINT: order = 50"),
    *(("redis", "", key, "x", "is not a number of seconds; HINT: %s = " % key) for key in _TIMES),
    ("redis", "", "required", "maybe", "is not yes or no; HINT: required = yes"),
    ("redis", "", "enabled", "maybe", "is not yes or no; HINT: enabled = yes"),
    ("redis", "", "type", "rediss", "there is no type 'rediss'; HINT: type = redis"),
    ("redis", "", "prot", "1", "there is no key 'prot' here; HINT: the nearest is 'port'"),
    *((kind, "", "method", "kindly", "is not one of") for kind in
      ("postgresql", "mysql", "mariadb", "mongodb", "redis", "script", "systemd")),
    *((kind, "", "port", port, "HINT: port = ")
      for kind in ("postgresql", "mysql", "mariadb", "redis")
      for port in ("x", "0", "65536", "1.5")),
    ("etcd", "", "url", "nowhere", "is not the URL of a member; HINT: url = http://127.0.0.1:2379"),
    ("mongodb", "", "uri", "nowhere", "HINT: uri = mongodb://127.0.0.1:27017/?directConnection=true"),
    ("systemd", "", "unit", "", "is not the name of a unit or container; HINT: unit = queue"),
    ("systemd", "unit = a", "folders", "/a, b", "HINT: folders = /srv/data, /srv/log"),
    ("script", "path = /a", "folders", "b", "HINT: folders = /srv/data, /srv/log"),
    ("script", "", "path", "", "HINT: path = /etc/qemu/fsfreeze-hook.d"),
    ("script", "", "path", "hooks", "begins with /; method = folder needs it; HINT: path = /"),
    ("script", "method = azure", "path", "", "HINT: path = /etc/azure/"),
    *(("script", "method = pair\nthaw = /bin/true", "freeze", words, "HINT: freeze = /usr/")
      for words in ("", "lock", "/bin/lock 'a", '""')),
    ("script", "method = pair\nfreeze = /bin/true", "thaw", "", "HINT: thaw = /usr/local/sbin/"),
)  # fmt: skip
"""Section, other lines of it, key, value, and how the error ends."""

FILES = (
    *((kind, "password_file") for kind in ("postgresql", "mysql", "mariadb", "mongodb", "redis")),
    *((kind, "defaults_file") for kind in ("mysql", "mariadb")),
    *((kind, "client") for kind in ("mysql", "mariadb", "mongodb")),
    *(("etcd", key) for key in ("ca_file", "certificate_file", "key_file")),
)
"""Options that name a file."""

SCRIPTS = (
    ("path", "path = {}"),
    ("path", "method = vmware\npath = {}"),
    ("path", "method = azure\npath = {}"),
    ("freeze", "method = pair\nfreeze = {} -a\nthaw = /bin/true"),
    ("thaw", "method = pair\nfreeze = /bin/true\nthaw = {}"),
)  # fmt: skip


class EveryErrorOfTheConfiguration(FolderCase):
    def error(self, section: str, lines: str) -> GuestError:
        heading = section if section in ("stillpoint-guest", "on-copy") else section + ":one"
        silent = "[stillpoint-guest]\ndiscovery = no\n"
        self.file = self.write("guest/conf.d/10.conf", "[%s]\n%s\n" % (heading, lines))
        self.write("guest.conf", silent if heading != "stillpoint-guest" else "")
        with self.assertRaises(GuestError) as caught:
            for driver in plan.plan(self.places(), DRIVERS).drivers:
                driver.check(Deadline.after(60))
        self.assertEqual(caught.exception.subject, "%s [%s]" % (self.file, heading))
        self.assertTrue(caught.exception.hint, caught.exception)
        return caught.exception

    def test_of_a_value_names_what_would_be_one(self) -> None:
        for section, others, key, value, end in VALUES:
            with self.subTest("%s %s = %s" % (section, key, value)):
                told = str(self.error(section, "%s\n%s = %s" % (others, key, value)))
                self.assertIn(end, told)
                self.assertIn(key, told)

    def test_of_a_file_that_is_missing_names_the_option_that_names_it(self) -> None:
        missing = self.path("missing")
        for kind, key in FILES:
            with self.subTest("%s %s" % (kind, key)):
                error = self.error(kind, "%s = %s" % (key, missing))
                self.assertEqual(error.cause, "%s = %s: No such file or directory" % (key, missing))

    def test_of_a_file_that_is_a_folder_names_it_too(self) -> None:
        os.mkdir(self.path("folder"), 0o700)
        for kind, key in FILES:
            if key in ("password_file", "defaults_file"):
                error = self.error(kind, "%s = %s" % (key, self.path("folder")))
                self.assertIn("%s = %s: Is a directory" % (key, self.path("folder")), error.cause)

    def test_of_a_file_that_others_can_write_says_how_they_no_longer_can(self) -> None:
        file = self.write("open", "word", 0o666)
        for kind, key in FILES:
            with self.subTest("%s %s" % (kind, key)):
                error = self.error(kind, "%s = %s" % (key, file))
                self.assertIn("%s = %s: " % (key, file), error.cause)
                self.assertEqual(error.hint, "chmod go-w " + file)

    def test_of_a_secret_that_others_can_read_says_how_they_no_longer_can(self) -> None:
        file = self.write("open", "[client]\npassword = word", 0o644)
        for kind, key in FILES:
            if key not in ("client", "ca_file", "certificate_file"):
                with self.subTest("%s %s" % (kind, key)):
                    error = self.error(kind, "%s = %s" % (key, file))
                    self.assertIn("others can read it too", error.cause)
                    self.assertEqual(error.hint, "chmod 600 " + file)
                    self.assertNotIn("word = word", str(error))

    def test_of_a_file_that_is_far_too_long_says_so(self) -> None:
        file = self.write("long", "x" * (_MOST_OF_A_FILE + 1), 0o600)
        for kind, key in FILES:
            if key in ("password_file", "defaults_file"):
                self.assertIn("longer than", self.error(kind, "%s = %s" % (key, file)).cause)

    def test_of_what_an_option_file_says_names_both_files(self) -> None:
        file = self.write("my.cnf", "[client]\nport = none\n", 0o600)
        for kind in ("mysql", "mariadb"):
            told = str(self.error(kind, "defaults_file = " + file))
            self.assertIn("defaults_file = %s: " % file, told)
            self.assertIn("[client]: port = none is not", told)

    def test_of_the_content_of_a_secret_does_not_tell_it(self) -> None:
        file = self.write("uri", "mongodb:secret", 0o600)
        told = str(self.error("mongodb", "password_file = " + file))
        self.assertIn("is not a file whose first line is a URI like mongodb://", told)
        self.assertNotIn("mongodb:secret", told)

    def test_of_scripts_that_are_missing_names_the_option_that_leads_to_them(self) -> None:
        for key, lines in SCRIPTS:
            with self.subTest(lines):
                error = self.error("script", lines.format(self.path("missing")))
                self.assertIn(key + " = ", error.cause)
                self.assertIn("No such file or directory", error.cause)
                self.assertIn(self.path("missing"), error.cause)

    def test_of_a_script_that_others_can_write_names_the_script_too(self) -> None:
        script = self.write("hooks/10-lock", "", 0o777)
        for key, lines in SCRIPTS:
            if "azure" not in lines:
                place = script if key != "path" else os.path.dirname(script)
                error = self.error("script", lines.format(place))
                self.assertIn(key + " = ", error.cause)
                self.assertIn(script, error.cause)
                self.assertEqual(error.hint, "chmod go-w " + script)

    def test_of_azures_file_names_its_key(self) -> None:
        for content, cause in (
            ("{", "Expecting"),
            ("[]", "it is no JSON object"),
            ('{"timeoutInSeconds": 0}', "timeoutInSeconds = 0 is not a number above 0"),
            ('{"preScriptLocation": "a"}', 'preScriptLocation = "a" is not the whole path'),
            ('{"fsFreezeEnabled": false}', "fsFreezeEnabled is false"),
        ):
            with self.subTest(content):
                file = self.write("azure.json", content)
                error = self.error("script", "method = azure\npath = " + file)
                self.assertIn("path = %s: " % file, error.cause)
                self.assertIn(cause, error.cause)

    def test_is_the_same_when_a_freeze_begins(self) -> None:
        self.write("guest.conf", "[script:one]\npath = /missing\n")
        self.write("guest/conf.d/10.conf", "[stillpoint-guest]\ndiscovery = no\n")
        [driver] = plan.plan(self.places(), DRIVERS).drivers
        with self.assertRaises(ApplicationError) as caught:
            driver.prepare(Deadline.after(60))
        self.assertIn("guest.conf [script:one]: look for scripts: path = ", str(caught.exception))

    def test_of_two_sections_that_mean_the_same_names_both(self) -> None:
        two = "[redis:one]\n[redis:two]\n"
        self.write("guest.conf", "[stillpoint-guest]\ndiscovery = no\n" + two)
        with self.assertRaises(ConfigurationError) as caught:
            plan.plan(self.places(), DRIVERS)
        told = str(caught.exception)
        self.assertIn("guest.conf [redis:two]: read it: [redis:one] is the same instance", told)
        self.assertIn("HINT: take one of the two sections out", told)

    def test_of_the_file_itself_names_it_and_what_it_is_to_be(self) -> None:
        for content in (b"words\n", b"[db\n", b"[db]\n[db]\n", b"[db]\na=1\na=2\n", b"[\xff]\n"):
            with self.subTest(content):
                file = self.write("guest.conf", "")
                with open(file, "wb") as raw:
                    raw.write(content)
                self.assert_unreadable(file)
        os.remove(file)
        os.mkdir(file)
        self.assert_unreadable(file)

    def assert_unreadable(self, file: str) -> None:
        with self.assertRaises(ConfigurationError) as caught:
            plan.plan(self.places(), DRIVERS)
        self.assertEqual(caught.exception.subject, file)
        self.assertIn("KEY = VALUE", caught.exception.hint)
