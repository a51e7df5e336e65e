"""Records as JSON and back: typed, and with an error that names the key which is wrong.

Others may have written, torn or changed what is read. Keys that are not asked for are ignored: a
newer version may have written them, and nothing is written back from what was read.
"""

import math
from typing import Any, Dict, List, Optional, Tuple


def plain(value: Any) -> Any:
    """A record as `json` takes it: named tuples become objects, other tuples lists."""
    if isinstance(value, tuple):
        if hasattr(value, "_asdict"):
            return {key: plain(each) for key, each in value._asdict().items()}
        return [plain(each) for each in value]
    return value


class Fields:
    """The values of a JSON object.

    Each getter may have a default for a missing key.

    Raises:
        ValueError: the content is no object, a key is missing, or a value has another type.
    """

    def __init__(self, content: Any) -> None:
        if not isinstance(content, dict):
            raise _wrong("it", "a JSON object")
        self._content: Dict[str, Any] = content

    def text(self, key: str, default: Optional[str] = None) -> str:
        """A text."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise _wrong(key, "a text")
        return value

    def truth(self, key: str, default: Optional[bool] = None) -> bool:
        """Either true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise _wrong(key, "true or false")
        return value

    def number(self, key: str, default: Optional[float] = None) -> float:
        """A number."""
        return _number(key, self._value(key, default))

    def texts(self, key: str, default: Optional[Tuple[str, ...]] = None) -> Tuple[str, ...]:
        """A list of texts."""
        values = self.several(key, default)
        if not all(isinstance(one, str) for one in values):
            raise _wrong(key, "a list of texts")
        return tuple(values)

    def several(self, key: str, default: Optional[Tuple[Any, ...]] = None) -> List[Any]:
        """A list of anything."""
        value = self._value(key, None if default is None else list(default))
        if not isinstance(value, list):
            raise _wrong(key, "a list")
        return value

    def pairs(self, key: str, default: Optional[Dict[str, str]] = None) -> Dict[str, str]:
        """An object of texts."""
        value = self._value(key, default)
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise _wrong(key, "an object of texts")
        return value

    def numbers(self, key: str) -> Dict[str, float]:
        """An object of numbers; {} if the key is missing."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise _wrong(key, "an object of numbers")
        return {name: _number(key, one) for name, one in value.items()}

    def optional(self, key: str) -> Any:
        """Anything; None if the key is missing."""
        return self._content.get(key)

    def _value(self, key: str, default: Any) -> Any:
        if key in self._content:
            return self._content[key]
        if default is None:
            raise ValueError(f"{key} is missing")
        return default


def _number(key: str, value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        number = float(value) if is_number else math.nan
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise _wrong(key, "a number")
    return number


def _wrong(key: str, expected: str) -> ValueError:
    return ValueError(f"{key} is not {expected}")
