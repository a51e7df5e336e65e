"""Quantities of the Kubernetes API: `10Gi`, `1500m`, `2e3`.

Source: k8s.io/apimachinery/pkg/api/resource/quantity.go.
"""

import re
from decimal import Decimal

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?",
    re.ASCII,
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def of_bytes(number: int) -> str:
    """A number of bytes as Kubernetes writes it: `10Gi`, or `1500` where no unit fits."""
    units = iter("KMGTPE")
    unit = ""
    while number and number % 1024 == 0 and (larger := next(units, "")):
        number, unit = number // 1024, f"{larger}i"
    return f"{number}{unit}"


def parse(text: str) -> Decimal:
    """The number that a quantity stands for.

    Raises:
        ValueError: the text is no quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"not a quantity: {text!r}")
    number, suffix, exponent = Decimal(match[1]), match[2] or "", match[3]
    if suffix.endswith("i"):
        return number * Decimal(1024) ** ("KMGTPE".index(suffix[0]) + 1)
    return number.scaleb(int(exponent) if exponent else _DECIMAL[suffix])
