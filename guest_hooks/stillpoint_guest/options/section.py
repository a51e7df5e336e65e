"""The configuration of an application, as a record."""

from typing import Dict, NamedTuple, Optional, Tuple

from stillpoint_guest import trust
from stillpoint_guest.errors import ConfigurationError, GuestError, Unreachable

DISCOVERED = "discovered"
_MOST_S = 24 * 3600  # more, and the kernel's clocks may not take it
_MOST_BYTES = 64 * 1024  # of a file that an option names
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
            raise self.error(key, "a list of paths that begin with /", "/srv/data, /srv/log")
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
            raise self.error(key, "a whole number", str(default)) from None

    def port(self, key: str, default: int) -> int:
        """An option that is a port.

        Raises:
            ConfigurationError: the value is no port.
        """
        value = self.integer(key, default)
        if not 0 < value < 65536:
            raise self.error(key, "a port, from 1 to 65535", str(default))
        return value

    def seconds(self, key: str, default: float) -> float:
        """An option that is a time.

        Raises:
            ConfigurationError: the value is no number of seconds above 0, or more than a day.
        """
        written = self.options.get(key)
        try:
            value = default if written is None else float(written)
        except ValueError:
            raise self.error(key, "a number of seconds", f"{default:g}") from None
        if not 0 < value <= _MOST_S:
            raise self.error(key, "a number of seconds above 0, up to a day", f"{default:g}")
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
            raise self.error(key, "yes or no", "yes" if default else "no")
        return _TRUTH[written.lower()]

    def secret(self, key: str) -> Optional[bytes]:
        """The first line of the file that an option names; None without that option.

        Raises:
            ConfigurationError: as `content`, or others can read it too.
        """
        content = self.content(key, is_secret=True)
        return None if content is None else content.partition(b"\n")[0].rstrip(b"\r")

    def content(self, key: str, is_secret: bool = False) -> Optional[bytes]:
        """The content of the file that an option names; None without that option.

        Raises:
            ConfigurationError: as `trusted`, or the file cannot be read, or is far too long.
        """
        path = self.file(key, is_secret)
        if path is None:
            return None
        try:
            with open(path, "rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            hint = f"name the right file in {key}"
            raise self.in_words(key, unreadable(path, error, hint)) from error
        if len(content) > _MOST_BYTES:
            cause = f"it is longer than {_MOST_BYTES} bytes"
            hint = f"name the right file in {key}"
            raise self.in_words(key, ConfigurationError(path, "read it", cause, hint))
        return content

    def file(self, key: str, is_secret: bool = False) -> Optional[str]:
        """The path of a file that an option names; None without that option.

        Raises:
            ConfigurationError: as `trusted`.
        """
        path = self.options.get(key)
        return path if path is None else self.trusted(key, path, is_secret)

    def trusted(self, key: str, path: str, is_secret: bool = False) -> str:
        """The path of a file to which an option leads.

        Raises:
            ConfigurationError: there is none.
            UntrustedFile: it is not root's alone, or a secret that others can read too.
        """
        try:
            trust.require(path, is_secret)
        except ConfigurationError as error:
            raise self.in_words(key, error) from error
        return path

    def error(self, key: str, expected: str, example: str) -> ConfigurationError:
        """The error for an option whose value makes no sense; with one that does."""
        cause = f"{key} = {self.options.get(key, '')} is not {expected}"
        return ConfigurationError(self.place, "read it", cause, f"{key} = {example}")

    def doubled(self, other: "Section", what: str) -> ConfigurationError:
        """The error for a section that means the same as another one."""
        cause = f"[{other.name}] is the same{what}"
        return ConfigurationError(self.place, "read it", cause, "take one of the two sections out")

    def in_words(self, key: str, error: ConfigurationError) -> ConfigurationError:
        """The error about what an option leads to, as one of the section.

        What was only found has no section; its errors stay as they are.
        """
        if self.source == DISCOVERED:
            return error
        value = self.options.get(key, error.subject)
        is_named = error.subject == value or error.subject in error.cause
        cause = f"{key} = {value}: " + ("" if is_named else f"{error.subject}: ") + error.cause
        return type(error)(self.place, error.attempt, cause, error.hint)

    @property
    def place(self) -> str:
        """The file and the heading of the section."""
        return f"{self.source} [{self.name}]"


def unreadable(path: str, error: Exception, hint: str) -> ConfigurationError:
    """The error for a file that cannot be read, or makes no sense."""
    cause = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())
    return ConfigurationError(path, "read it", cause, hint)
