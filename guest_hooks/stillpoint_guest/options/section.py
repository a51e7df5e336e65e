"""The configuration of an application, as a record."""

from typing import Dict, NamedTuple, Optional, Tuple

from stillpoint_guest import trust
from stillpoint_guest.errors import ConfigurationError, GuestError, Unreachable

DISCOVERED = "discovered"
_TRUTH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


class Section(NamedTuple):
    """The settings of an application, and the unparsed options of its driver.

    The keys of `options` are among the driver's `OPTIONS`; their values are parsed by the driver,
    with the methods below.
    """

    name: str  # the section's heading: "postgresql:15/main"
    kind: str  # the driver's KIND
    order: int = 50  # smaller ones are locked first and released last
    prepare_s: float = 10.0  # for `prepare`
    lock_s: float = 3.0  # from `quiesce` to its yield
    release_s: float = 10.0  # from the end of the block until it runs again
    required: bool = True  # its failure fails the freeze; see `can_be_left_out`
    method: str = ""  # one of the driver's METHODS; "" leaves it to the driver
    options: Dict[str, str] = {}
    source: str = DISCOVERED  # or the file
    process: int = 0  # that was found; 0: not known, it is only configured

    def can_be_left_out(self, error: GuestError) -> bool:
        """True if a freeze goes on without the application, for that reason.

        A process that was only found is never required (`plan` says so): its account may be
        anybody's by now, who could end every freeze. Hooks that were only found are root's own:
        they end a freeze like a section, unless they cannot be reached.
        """
        is_discovered = self.source == DISCOVERED
        return not self.required or (is_discovered and isinstance(error, Unreachable))

    def text(self, key: str, default: str = "") -> str:
        """The text of an option."""
        return self.options.get(key, default)

    def paths(self, key: str) -> Tuple[str, ...]:
        """An option with files or folders, separated by commas.

        Raises:
            ConfigurationError: a path is not absolute.
        """
        found = tuple(filter(None, map(str.strip, self.text(key).split(","))))
        if not all(path.startswith("/") for path in found):
            raise self.error(key, "a list of paths that begin with /")
        return found

    def integer(self, key: str, default: int) -> int:
        """An option that counts something.

        Raises:
            ConfigurationError: the value is no number.
        """
        written = self.options.get(key)
        try:
            return default if written is None else int(written)
        except ValueError:
            raise self.error(key, "a whole number") from None

    def seconds(self, key: str, default: float) -> float:
        """An option that is a time.

        Raises:
            ConfigurationError: the value is no number of seconds above 0.
        """
        written = self.options.get(key)
        try:
            value = default if written is None else float(written)
        except ValueError:
            raise self.error(key, "a number of seconds") from None
        if not 0 < value < float("inf"):
            raise self.error(key, "a number of seconds above 0")
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """An option that is yes or no.

        Raises:
            ConfigurationError: the value is neither.
        """
        written = self.options.get(key)
        if written is None:
            return default
        if written.lower() not in _TRUTH:
            raise self.error(key, "yes or no")
        return _TRUTH[written.lower()]

    def secret(self, key: str) -> Optional[bytes]:
        """The first line of the file that an option names; None without that option.

        Raises:
            ConfigurationError: the file cannot be read, or others can read it too.
        """
        path = self.options.get(key)
        if path is None:
            return None
        trust.require(path, is_secret=True)
        with open(path, "rb") as file:
            return file.readline().rstrip(b"\r\n")

    def file(self, key: str, is_secret: bool = False) -> Optional[str]:
        """The path of a file that an option names; None without that option.

        Raises:
            ConfigurationError: the file is not root's alone, or a secret that others can read too.
        """
        path = self.options.get(key)
        if path is not None:
            trust.require(path, is_secret)
        return path

    def error(self, key: str, expected: str) -> ConfigurationError:
        """The error for an option whose value makes no sense."""
        cause = f"{key} = {self.options.get(key, '')} is not {expected}"
        return ConfigurationError(f"{self.source} [{self.name}]", "read it", cause)
