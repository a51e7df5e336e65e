"""Whether QEMU's guest agent of this guest runs our hook.

Debian's unit has no -F, so its configuration file must name the hook; Red Hat's unit takes it from
/etc/sysconfig. A running agent tells by its command line.
"""

import configparser
import glob
import os
import shlex
from typing import Iterator, Optional, Sequence

from guest_hooks import trust
from guest_hooks.driver import Finding
from guest_hooks.errors import ConfigurationError

CONFIGURATION = "/etc/qemu/qemu-ga.conf"
SYSCONFIG = "/etc/sysconfig/qemu-ga"
DEFAULT_HOOK = "/etc/qemu/fsfreeze-hook"
_SELINUX = "/sys/fs/selinux"
_BOOLEAN = "virt_qemu_ga_run_unconfined"
_LABEL = b":stillpoint_guest_exec_t:"  # of packaging/guest/stillpoint_guest.fc


def findings(root: str = "/") -> Iterator[Finding]:
    """What stands between the agent and our hook."""
    running = _running(root)
    if running is None:
        yield Finding(
            False, "qemu-guest-agent does not run", "install and start it", is_blocking=False
        )
    hook = _hook_of(running or ()) or _configured(root)
    if hook is None:
        hint = f"[general] fsfreeze-hook={DEFAULT_HOOK} in {CONFIGURATION}, then restart it"
        yield Finding(is_good=False, text="the agent runs no freeze hook", hint=hint)
    else:
        yield from _hook(hook)
    yield from _selinux(root, hook or "")


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
    hint = "" if is_ours else "make it a link to stillpoint-guest"
    yield Finding(is_ours, f"the agent's freeze hook {path} is stillpoint-guest", hint)


def _running(root: str) -> Optional[Sequence[str]]:
    for path in glob.glob(os.path.join(root, "proc/[0-9]*/cmdline")):
        try:
            with open(path, "rb") as file:
                words = file.read().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == "qemu-ga":
            return words
    return None


def _hook_of(words: Sequence[str]) -> Optional[str]:
    for number, word in enumerate(words):
        if word in ("-F", "--fsfreeze-hook"):  # without a value: the default
            following = words[number + 1] if number + 1 < len(words) else ""
            return following if following.startswith("/") else DEFAULT_HOOK
        for start in ("--fsfreeze-hook=", "-F"):
            if word.startswith(start):
                return word[len(start) :]
    return None


def _configured(root: str) -> Optional[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(os.path.join(root, CONFIGURATION[1:]))
    except configparser.Error:
        return None
    hook = parser.get("general", "fsfreeze-hook", fallback=None)
    return hook or _sysconfig(os.path.join(root, SYSCONFIG[1:]))


def _sysconfig(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition("=")
        if key == "FSFREEZE_HOOK_PATHNAME" and value:
            return "".join(shlex.split(value))
    return None


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
    """Whether the policy of our package knows this program."""
    try:
        return _LABEL in os.getxattr(hook, "security.selinux")
    except OSError:
        return False
