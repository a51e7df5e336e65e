"""Azure's VMSnapshotScriptPluginConfig.json: a script before the snapshot, another after.

Followed: Azure Backup's documentation of application-consistent backup of Linux machines, and the
readme of its repository VMSnapshotPluginConfig: one time for all tries of a script.
"""

import json
from typing import Any, Dict, Mapping, NamedTuple, Tuple

from stillpoint_guest import trust
from stillpoint_guest.errors import ConfigurationError

FILE = "/etc/azure/VMSnapshotScriptPluginConfig.json"
_MOST_BYTES = 1 << 16
_HINT = f"one JSON object, of no more than {_MOST_BYTES} bytes"
_MOST_RETRIES = 100
_MOST_S = 1800.0
_KINDS = {str: "a text", bool: "true or false", int: "a number"}


class Half(NamedTuple):
    """A script with its parameters, tried again if it fails."""

    words: Tuple[str, ...]
    tries: int
    limit_s: float  # for all tries


class Pair(NamedTuple):
    """The content of the file."""

    before: Half
    after: Half
    is_optional: bool  # without the scripts a backup goes on, and is worth less


def read(path: str) -> Pair:
    """The pair in a file.

    Raises:
        ConfigurationError: the file is invalid, or needs an unsupported feature.
    """
    trust.require(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            written = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(path, "read it", str(error), _HINT) from error
    if not isinstance(written, dict):
        raise ConfigurationError(path, "read it", "it is no JSON object", _HINT)
    content = _Content(path, written)
    if not content.value("fsFreezeEnabled", bool, default=True):
        cause = "fsFreezeEnabled is false, and QEMU's agent freezes the filesystems all the same"
        hint = "set it to true, or write a section with method = pair"
        raise ConfigurationError(path, "do as it says", cause, hint)
    limit_s = content.number("timeoutInSeconds", 30, _MOST_S)
    if not limit_s:
        raise content.error("timeoutInSeconds", "a number above 0")
    return Pair(
        content.half("pre", limit_s),
        content.half("post", limit_s),
        bool(content.value("continueBackupOnFailure", bool, default=False)),
    )


class _Content:
    """A JSON object, by keys whose case does not matter."""

    def __init__(self, path: str, written: Mapping[str, Any]) -> None:
        self._path = path
        self._written: Dict[str, Any] = {key.lower(): value for key, value in written.items()}

    def half(self, which: str, limit_s: float) -> Half:
        place = self.value(f"{which}ScriptLocation", str, default="")
        if not str(place).startswith("/"):
            raise self.error(f"{which}ScriptLocation", "the whole path of a script")
        key = f"{which}ScriptParams"
        words = self._written.get(key.lower()) or []
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise self.error(key, "a list of texts")
        tries = 1 + self.number(f"{which}ScriptNoOfRetries", 0, _MOST_RETRIES)
        return Half((str(place), *filter(None, words)), int(tries), limit_s)

    def number(self, key: str, default: int, most: float) -> float:
        value = float(self.value(key, int, default))
        if not 0 <= value <= most:
            raise self.error(key, f"a number from 0 to {most:g}")
        return value

    def value(self, key: str, kind: type, default: Any) -> Any:
        value = self._written.get(key.lower(), default)
        if type(value) is not kind:  # a bool is an int, but not here
            raise self.error(key, _KINDS[kind])
        return value

    def error(self, key: str, expected: str) -> ConfigurationError:
        value = json.dumps(self._written.get(key.lower()))[:60]
        cause = f"{key} = {value} is not {expected}"
        return ConfigurationError(self._path, "read it", cause, f"correct {key} in {self._path}")
