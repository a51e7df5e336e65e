"""YAML as text: values of answers, whatever they have in them."""

import json
import re
from collections.abc import Iterable, Mapping

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./-]*(?::(?=[A-Za-z0-9])[A-Za-z0-9./-]*)*")
_OTHER = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def scalar(value: str) -> str:
    """The text as YAML, in quotes where it could be anything else: JSON's strings are YAML's."""
    is_plain = _PLAIN.fullmatch(value) and value.lower() not in _OTHER
    return value if is_plain else json.dumps(value)


def flow(values: Iterable[str]) -> str:
    """`[aws, csi]`."""
    return f"[{', '.join(map(scalar, values))}]"


def fields(values: Mapping[str, str]) -> str:
    """`{region: eu-west-1}`."""
    return f"{{{', '.join(f'{scalar(key)}: {scalar(value)}' for key, value in values.items())}}}"


def comment(value: str) -> str:
    """The text for a comment, which no line end leaves."""
    return "".join(one if one.isprintable() else "?" for one in value)
