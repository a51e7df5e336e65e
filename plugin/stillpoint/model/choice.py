"""Values that a user sets in an annotation: for all virtual machines, and for some by name.

Example: `Halted, db=Always, shop/web=keep`. A name holds in every namespace, `NAMESPACE/NAME` in
    that namespace, where it takes precedence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.switch import refusal, without_meaning


@dataclass(frozen=True, slots=True)
class Choice:
    """A word for each virtual machine.

    Attributes:
        default: for all that are not named.
        exceptions: by `NAME` or `NAMESPACE/NAME`.
    """

    default: str
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def of(self, namespace: str, name: str) -> str:
        """The word for a machine, by its names in the backup."""
        return by_name(self.exceptions, namespace, name) or self.default

    @classmethod
    def parse(cls, owner: Item, key: str, text: str, choices: Sequence[str]) -> "Choice":
        """Reads `WORD`, `NAME=WORD` and both together; the first of `choices` is the default.

        Raises:
            Refusal: a word is not among the choices, or a machine has two of them.
        """
        defaults, exceptions = words(text), pairs(owner, key, text)
        for word in (*defaults, *exceptions.values()):
            if word not in choices:
                raise without_meaning(owner, key, word, choices)
        if len(defaults) > 1:
            cause = f"{listing(defaults, ' and ')} are both meant for every machine"
            raise refusal(owner, key, cause, "name the machine in front: NAME=WORD")
        return cls(defaults[0] if defaults else choices[0], exceptions)


def by_name(by: Mapping[str, str], namespace: str, name: str) -> str:
    """The user's entry for a machine; None without an entry."""
    return by.get(f"{namespace}/{name}", "") or by.get(name, "")


def words(text: str) -> list[str]:
    """The entries that are no pairs, in order and each once."""
    return list(dict.fromkeys(entry for entry in _entries(text) if "=" not in entry))


def pairs(owner: Item, key: str, text: str) -> dict[str, str]:
    """The entries of the form `NAME=WORD`, name to word.

    Raises:
        Refusal: a pair lacks one of its sides, or two pairs are of one name.
    """
    found: dict[str, str] = {}
    for entry in _entries(text):
        name, sign, word = entry.partition("=")
        if not sign:
            continue
        if not name or not word or "=" in word:
            raise refusal(owner, key, f"{entry!r} is no pair", "write it as NAME=VALUE")
        if found.setdefault(name, word) != word:
            raise refusal(owner, key, f"{name} is given {found[name]} and {word}", "keep one")
    return found


def _entries(text: str) -> Iterator[str]:
    yield from filter(None, re.split(r"[\s,]+", text))
