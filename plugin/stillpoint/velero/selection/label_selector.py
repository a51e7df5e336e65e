"""Label selectors as the Kubernetes API reads them: `app=shop, tier in (db, cache), !canary`.

In objects they are written out: `{matchLabels: {app: shop}, matchExpressions: [{key: canary,
operator: DoesNotExist}]}`.

Sources: k8s.io/apimachinery/pkg/labels/selector.go and pkg/apis/meta/v1/helpers.go.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.item import Item

_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_DOMAIN = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_KEY = rf"(?:(?=[^/]{{1,253}}/){_DOMAIN}/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
_REQUIREMENT = re.compile(
    rf"""\s*(?:
      !\s*(?P<absent>{_KEY})
    | (?P<key>{_KEY})(?:
        \s+(?P<set>in|notin)\s*\((?P<values>\s*{_VALUE}\s*(?:,\s*{_VALUE}\s*)*)\)
      | \s*(?P<sign>==|=|!=)\s*(?P<value>{_VALUE})
      | \s*(?P<order>[<>])\s*(?P<bound>-?[0-9]+)
      )?
    )\s*(?P<more>,|$)""",
    re.VERBOSE | re.ASCII,
)
_POSITIVE = {"in": True, "notin": False, "=": True, "==": True, "!=": False}
_WANTED = {"In": True, "NotIn": False, "Exists": True, "DoesNotExist": False}


@dataclass(frozen=True, slots=True)
class _Exists:
    key: str
    wanted: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        return (self.key in labels) is self.wanted

    def as_object(self) -> Item:
        return {"key": self.key, "operator": "Exists" if self.wanted else "DoesNotExist"}


@dataclass(frozen=True, slots=True)
class _OneOf:
    """A label with any of the values, or with none of them, or missing."""

    key: str
    values: frozenset[str]
    wanted: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        return (labels.get(self.key) in self.values) is self.wanted

    def as_object(self) -> Item:
        operator = "In" if self.wanted else "NotIn"
        return {"key": self.key, "operator": operator, "values": sorted(self.values)}


@dataclass(frozen=True, slots=True)
class _Ordered:
    key: str
    above: bool
    bound: int

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key, "")
        if not re.fullmatch(r"-?[0-9]+", value, re.ASCII):
            return False
        return int(value) > self.bound if self.above else int(value) < self.bound

    def as_object(self) -> Item:
        raise ValueError(f"{self.key} {'>' if self.above else '<'}: objects know no such operator")


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """The requirements of a selector; without requirements everything matches."""

    requirements: tuple[_Exists | _OneOf | _Ordered, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "LabelSelector":
        """Parses a selector.

        Raises:
            ValueError: the text is no selector.
        """
        requirements = []
        position = 0
        while text.strip():
            match = _REQUIREMENT.match(text, position)
            if match is None:
                raise ValueError(f"not a label selector from here on: {text[position:]!r}")
            requirements.append(_requirement(match))
            position = match.end()
            if match["more"] != ",":
                break
        return cls(tuple(requirements))

    @classmethod
    def of_object(cls, selector: Item) -> "LabelSelector":
        """Reads a selector in the form that objects of the API hold.

        Raises:
            MalformedItem: a field has the wrong type.
            ValueError: the object is no selector.
        """
        labels = it.mapping(selector, "matchLabels")
        equal = [_one_of(key, [it.text(labels, key)], wanted=True) for key in labels]
        expressions = it.sequence(selector, "matchExpressions")
        return cls((*equal, *map(_expression, expressions)))

    def as_object(self) -> Item:
        """The selector in the form that objects of the API hold.

        Raises:
            ValueError: the selector compares numbers, which that form cannot say.
        """
        return {"matchExpressions": [one.as_object() for one in self.requirements]}

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True if an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def _requirement(match: re.Match[str]) -> _Exists | _OneOf | _Ordered:
    if match["absent"]:
        return _Exists(match["absent"], wanted=False)
    key = match["key"]
    if match["set"]:
        if not match["values"].strip():
            raise ValueError(f"no values between the parentheses: {match[0]!r}")
        values = frozenset(value.strip() for value in match["values"].split(","))
        return _OneOf(key, values, _POSITIVE[match["set"]])
    if match["sign"]:
        return _OneOf(key, frozenset({match["value"]}), _POSITIVE[match["sign"]])
    if match["order"]:
        return _Ordered(key, match["order"] == ">", int(match["bound"]))
    return _Exists(key, wanted=True)


def _expression(expression: Item) -> _Exists | _OneOf:
    key, operator = it.text(expression, "key"), it.text(expression, "operator")
    values = it.texts(expression, "values")
    if operator in ("Exists", "DoesNotExist"):
        if values:
            raise ValueError(f"{operator} takes no values, but {key} has some")
        return _Exists(_valid_key(key), _WANTED[operator])
    if operator not in _WANTED:
        raise ValueError(f"no operator of a label selector: {operator!r}")
    if not values:
        raise ValueError(f"{operator} needs values, but {key} has none")
    return _one_of(key, values, wanted=_WANTED[operator])


def _one_of(key: str, values: Sequence[str], *, wanted: bool) -> _OneOf:
    for value in values:
        if not re.fullmatch(_VALUE, value, re.ASCII):
            raise ValueError(f"not the value of a label: {value!r}")
    return _OneOf(_valid_key(key), frozenset(values), wanted)


def _valid_key(key: str) -> str:
    if not re.fullmatch(_KEY, key, re.ASCII):
        raise ValueError(f"not the name of a label: {key!r}")
    return key
