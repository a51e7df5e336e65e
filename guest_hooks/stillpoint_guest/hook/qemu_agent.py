"""Checks if QEMU's guest agent of this guest runs our hook.

Debian's unit has no -F, so its configuration file must name the hook; Red Hat's unit takes it from
/etc/sysconfig. A running agent shows its command line.
"""

import configparser
import glob
import os
import re
import shlex
from typing import Iterator, Mapping, NamedTuple, Optional, Sequence

from stillpoint_guest import trust
from stillpoint_guest.driver import Finding
from stillpoint_guest.errors import ConfigurationError

CONFIGURATION = "/etc/qemu/qemu-ga.conf"
SYSCONFIG = "/etc/sysconfig/qemu-ga"
DEFAULT_HOOK = "/etc/qemu/fsfreeze-hook"
_SWITCH_ON = "stillpoint-guest hook on, then restart qemu-guest-agent"
_NEEDED = ("guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-fsfreeze-status")
_BLOCKED = ("-b", "--block-rpcs", "--blacklist")  # the last up to QEMU 8.0
_ALLOWED = ("-a", "--allow-rpcs")
_CAN_FREEZE = 1 << 21  # CAP_SYS_ADMIN in linux/capability.h
_MOST_BYTES = 1 << 16
_MOST_ABOVE = 20  # shells and wrappers between agent and hook
_SELINUX = "/sys/fs/selinux"
_BOOLEAN = "virt_qemu_ga_run_unconfined"
_LABEL = b":stillpoint_guest_exec_t:"  # of packaging/guest/stillpoint_guest.fc


class Agent(NamedTuple):
    """A running agent."""

    process: int
    words: Sequence[str]  # of its command line


def process() -> int:
    """The number of the agent that runs here; 0 if there is none."""
    agent = _running()
    return agent.process if agent else 0


def has_asked(process: int) -> bool:
    """True if the agent runs above a process, as above its hook, or if that cannot be seen.

    With nothing to freeze the agent reports success and never thaws; other callers do.
    """
    if not process:
        return True
    for _ in range(_MOST_ABOVE):
        if process <= 1:  # the first process here, or one outside that has entered
            return False
        try:
            with open(f"/proc/{process}/stat", "rb") as file:
                name, _, fields = file.read(_MOST_BYTES).rpartition(b")")
        except OSError:
            return True
        if name.partition(b"(")[2] == b"qemu-ga":
            return True
        process = int(fields.split()[1])
    return False


def findings(root: str = "/") -> Iterator[Finding]:
    """Finds obstacles between the agent and our hook."""
    running = _running(root)
    if running is None:
        yield Finding(
            False, "qemu-guest-agent does not run", "install and start it", is_blocking=False
        )
    words = running.words if running else ()
    settings = _settings(words, root)
    hook = _hook_of(words) or settings.get("fsfreeze-hook") or _sysconfig(root)
    if hook is None:
        yield Finding(is_good=False, text="the agent runs no freeze hook", hint=_SWITCH_ON)
    else:
        yield from _hook(hook)
    yield from _commands(words, settings)
    if running:
        yield from _rights(os.path.join(root, "proc", str(running.process)))
    yield from _selinux(root, hook or "")


def _commands(words: Sequence[str], settings: Mapping[str, str]) -> Iterator[Finding]:
    """Checks if the agent may freeze: blocked commands are nobody's, allowed ones the only ones."""
    blocked = _option_values(words, settings, _BLOCKED)
    allowed = _option_values(words, settings, _ALLOWED)
    missing = [one for one in _NEEDED if one in blocked or (allowed and one not in allowed)]
    if missing:
        text = f"the agent's configuration blocks {', '.join(missing)}"
        yield Finding(is_good=False, text=text, hint="allow them, then restart it")


def _option_values(
    words: Sequence[str], settings: Mapping[str, str], names: Sequence[str]
) -> Sequence[str]:
    """The commands of a list option, from all places where it may be written."""
    texts = [settings.get(name.lstrip("-"), "") for name in names]
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else ""
        for name in names:
            if word == name:
                texts.append(following)
            elif name.startswith("--") and word.startswith(name + "="):
                texts.append(word[len(name) + 1 :])
            elif not name.startswith("--") and word.startswith(name):
                texts.append(word[len(name) :])
    return [one.strip() for text in texts for one in text.split(",") if one.strip()]


def _rights(folder: str) -> Iterator[Finding]:
    """Checks if the agent could freeze, as far as that shows from outside."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", _text(f"{folder}/status"), re.MULTILINE)
    if found and not int(found.group(1), 16) & _CAN_FREEZE:
        text = "the agent runs without CAP_SYS_ADMIN, so that it can freeze nothing"
        yield Finding(is_good=False, text=text, hint="give it to its unit")
    profile = _text(f"{folder}/attr/current").strip("\0\n")
    if profile.endswith("(enforce)"):
        text = f"AppArmor confines the agent ({profile}): if it may open every mount is not tried"
        yield Finding(is_good=False, text=text, is_blocking=False)


def _hook(path: str) -> Iterator[Finding]:
    try:
        trust.require(path)
    except ConfigurationError as error:
        yield Finding(is_good=False, text=str(error))
        return
    if not os.access(path, os.X_OK):
        yield Finding(is_good=False, text=f"{path} cannot be executed", hint=f"chmod 755 {path}")
    with open(path, "rb") as file:
        is_ours = b"stillpoint" in os.path.realpath(path).encode() + file.read(65536)
    verb = "is" if is_ours else "is not"
    text = f"the agent's freeze hook {path} {verb} stillpoint-guest"
    yield Finding(is_ours, text, "" if is_ours else _SWITCH_ON)


def _running(root: str = "/") -> Optional[Agent]:
    """Root's: anybody else may call a process so."""
    own = _namespace(os.path.join(root, "proc/self"))
    for path in sorted(glob.glob(os.path.join(root, "proc/[0-9]*"))):
        try:
            with open(f"{path}/comm", "rb") as file:  # not all command lines: one may wait for ever
                is_called_so = file.read(_MOST_BYTES) == b"qemu-ga\n"
            is_trusted = os.stat(path).st_uid in (0, os.geteuid()) and _namespace(path) == own
            if not is_called_so or not is_trusted:
                continue
            with open(f"{path}/cmdline", "rb") as file:
                words = os.fsdecode(file.read(_MOST_BYTES)).split("\0")
        except OSError:
            continue
        return Agent(int(os.path.basename(path)), words)
    return None


def _namespace(folder: str) -> str:
    return os.readlink(f"{folder}/ns/pid")


def _hook_of(words: Sequence[str]) -> Optional[str]:
    """A value stands in the same word: getopt takes none from the next for this option."""
    found = None
    for word in words:
        if word in ("-F", "--fsfreeze-hook"):
            found = DEFAULT_HOOK
        for start in ("--fsfreeze-hook=", "-F"):
            if word.startswith(start) and word != start:
                found = word[len(start) :]
    return found


def _settings(words: Sequence[str], root: str) -> Mapping[str, str]:
    """Its own file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    path = next(iter(_option_values(words, {}, ("-c", "--config"))), CONFIGURATION)
    try:
        parser.read(os.path.join(root, path.lstrip("/")), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    return dict(parser["general"]) if parser.has_section("general") else {}


def _sysconfig(root: str) -> Optional[str]:
    for line in _text(os.path.join(root, SYSCONFIG[1:])).splitlines():
        key, _, value = line.strip().partition("=")
        if key == "FSFREEZE_HOOK_PATHNAME" and value:
            return "".join(shlex.split(value))
    return None


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read(_MOST_BYTES))
    except OSError:
        return ""


def _selinux(root: str, hook: str) -> Iterator[Finding]:
    folder = os.path.join(root, _SELINUX[1:])
    try:
        with open(os.path.join(folder, "enforce"), encoding="ascii") as file:
            is_enforcing = file.read().strip() == "1"
        with open(os.path.join(folder, "booleans", _BOOLEAN), encoding="ascii") as file:
            is_unconfined = file.read().split()[:1] == ["1"]
    except OSError:
        return  # no SELinux, or a policy that does not confine the agent
    if is_enforcing:
        is_let = is_unconfined or _has_label(hook)
        hint = "" if is_let else f"install the package's module, or setsebool -P {_BOOLEAN} on"
        yield Finding(is_let, "SELinux lets the agent's hook reach the holder", hint)


def _has_label(hook: str) -> bool:
    """True if the policy of our package knows this program."""
    try:
        return _LABEL in os.getxattr(hook, "security.selinux")
    except OSError:
        return False
