"""Turning the freeze hook of QEMU's guest agent on and off, in the agent's own configuration.

Red Hat's unit hands `FSFREEZE_HOOK_PATHNAME` of a sysconfig file to the agent; elsewhere the agent
reads `fsfreeze-hook` from the section `[general]` of its own file. What was set there before is
kept on the disk, and given back when the hook is turned off.
"""

import json
import os
from typing import List, NamedTuple, Optional

from stillpoint_guest.errors import ConfigurationError
from stillpoint_guest.hook.qemu_agent import CONFIGURATION, SYSCONFIG

_KEPT = "agent-hook.json"


class _Setting(NamedTuple):
    path: str
    section: str  # empty: a shell-like file without sections
    key: str

    def of(self, hook: str) -> str:
        return f"{self.key}={hook}"


class Switch:
    """The hook setting of a guest's agent.

    Args:
        hook: the program that the agent is to run with `freeze` and `thaw`.
        state: folder in which the earlier setting is kept.
        root: of the guest's filesystem.
    """

    def __init__(self, hook: str, state: str, root: str = "/") -> None:
        self._hook = hook
        self._kept = os.path.join(root, state.lstrip("/"), _KEPT)
        sysconfig = os.path.join(root, SYSCONFIG[1:])
        if os.path.exists(sysconfig):
            self._setting = _Setting(sysconfig, "", "FSFREEZE_HOOK_PATHNAME")
        else:
            own = os.path.join(root, CONFIGURATION[1:])
            self._setting = _Setting(own, "general", "fsfreeze-hook")

    def turn_on(self) -> bool:
        """Sets our hook in the agent's configuration, in effect after its next start.

        Returns:
            True if anything changed.

        Raises:
            ConfigurationError: the agent's configuration cannot be changed.
        """
        setting, lines = self._setting, self._read()
        ours = setting.of(self._hook)
        position = _position(lines, setting)
        if position is not None and lines[position] == ours:
            return False
        self._keep(None if position is None else lines[position])
        if position is not None:
            lines[position] = ours
        elif setting.section:
            lines.insert(_below(lines, setting.section), ours)
        else:
            lines.append(ours)
        self._write(lines)
        return True

    def turn_off(self) -> bool:
        """Restores the earlier setting; a setting that is no longer ours is left alone.

        Returns:
            Whether anything changed.

        Raises:
            ConfigurationError: the agent's configuration cannot be changed.
        """
        setting, lines = self._setting, self._read()
        position = _position(lines, setting)
        if position is None or lines[position] != setting.of(self._hook):
            return False
        earlier = self._earlier()
        lines[position : position + 1] = [] if earlier is None else [earlier]
        self._write(lines)
        return True

    def _read(self) -> List[str]:
        try:
            with open(self._setting.path, encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            hint = "mend or remove it: the guest agent reads it too"
            raise ConfigurationError(self._setting.path, "read it", str(error), hint) from error

    def _write(self, lines: List[str]) -> None:
        """All or nothing: the agent does not start with half a file."""
        path = os.path.realpath(self._setting.path)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path + ".stillpoint", "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            os.rename(path + ".stillpoint", path)
        except OSError as error:
            hint = f"set {self._setting.of(self._hook)} in it by hand"
            raise ConfigurationError(path, "change it", str(error), hint) from error

    def _keep(self, earlier: Optional[str]) -> None:
        try:
            os.makedirs(os.path.dirname(self._kept), mode=0o700, exist_ok=True)
            with open(self._kept, "w", encoding="utf-8") as file:
                json.dump({"earlier": earlier}, file)
        except OSError as error:
            hint = "let root write there"
            attempt = "keep the earlier hook"
            raise ConfigurationError(self._kept, attempt, str(error), hint) from error

    def _earlier(self) -> Optional[str]:
        try:
            with open(self._kept, encoding="utf-8") as file:
                earlier: Optional[str] = json.load(file)["earlier"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            hint = f"remove it, and set the earlier hook in {self._setting.path} by hand"
            attempt = "read the earlier hook"
            raise ConfigurationError(self._kept, attempt, str(error), hint) from error
        return earlier


def _position(lines: List[str], setting: _Setting) -> Optional[int]:
    """Position of the line in effect: the last one."""
    found, section = None, ""
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        elif section == setting.section and text.partition("=")[0].strip() == setting.key:
            found = number
    return found


def _below(lines: List[str], section: str) -> int:
    """Index below the section's headline, which is put at the end if there is none."""
    headline = f"[{section}]"
    texts = [line.strip() for line in lines]
    if headline not in texts:
        lines.append(headline)
        return len(lines)
    return texts.index(headline) + 1
