"""Lines of Velero's log, as logrus writes them: `key=value` or JSON.

In both forms a value that holds a quote, a blank or a control character is quoted, so that no
program whose output is in it begins a field or a line of its own (TextFormatter and JSONFormatter
of logrus v1.9; pkg/util/logging/default_logger.go of Velero v1.18 names the error's field).
"""

import re
from collections.abc import Mapping

from stillpoint.model import json_text

_FIELD = re.compile(r'([A-Za-z0-9._-]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)', re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ERRORS = ("error", "error.message")


def fields(line: bytes) -> Mapping[str, str]:
    """The fields of a line; empty if it is none that Velero writes.

    A list, as of the words of a command, is in brackets: `[virt-freezer --freeze]`.
    """
    text = line.decode(errors="replace").rstrip("\r\n")
    return _of_json(text) if text.startswith("{") else _of_text(text)


def error(found: Mapping[str, str]) -> str:
    """The error of a line; empty if it has none."""
    return next((found[key] for key in _ERRORS if key in found), "")


def _of_json(text: str) -> Mapping[str, str]:
    try:
        found = json_text.decode(text)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: _word(value) for key, value in found.items()}


def _word(value: object) -> str:
    return f"[{' '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _of_text(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    end = 0
    while end < len(text):
        match = _FIELD.match(text, end)
        if match is None:
            return {}
        key, value = match.groups()
        found[key] = _unquoted(value)
        end = match.end()
    return found


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return _ESCAPE.sub(lambda one: _character(one[1]), value[1:-1])


def _character(escape: str) -> str:
    if len(escape) > 1:
        number = int(escape[1:], 16)
        is_character = number < 0xD800 or 0xDFFF < number < 0x110000
        return chr(number) if is_character else "\N{REPLACEMENT CHARACTER}"
    return _SHORT.get(escape, escape)
