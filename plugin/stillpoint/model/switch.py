"""Switches that a user sets by a label or annotation, and the errors for invalid values."""

import difflib
from collections.abc import Iterable, Sequence

from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item


def is_on(owner: Item, asked: Item, key: str, *, default: bool = False) -> bool:
    """True if a switch is on.

    Args:
        owner: the object with the switch, for the error.
        asked: the owner's labels, or annotations.
        default: the value without a label or annotation.

    Raises:
        Refusal: the value is neither yes nor no.
    """
    value = it.text(asked, key)
    if value.lower() in ("true", ""):  # the peer's documentation sets it without a value, too
        return key in asked or default
    if value.lower() != "false":
        raise without_meaning(owner, key, value, ("true", "false"))
    return False


def without_meaning(owner: Item, key: str, word: str, choices: Sequence[str]) -> Refusal:
    """The error for a word that is none of the choices."""
    cause = f"it has no meaning with the value {word!r}"
    hint = f"{nearest(word, choices)}set it to one of {', '.join(choices)}"
    return refusal(owner, key, cause, hint)


def refusal(owner: Item, key: str, cause: str, hint: str = "") -> Refusal:
    """The error for a label or annotation that cannot be obeyed."""
    return Refusal(it.describe(owner), f"cannot obey its {key}", cause, hint)


def nearest(word: str, choices: Iterable[str]) -> str:
    """`did you mean ...? ` with the most similar choice; empty if none is similar."""
    lowered = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), lowered, n=1)
    return f"did you mean {lowered[close[0]]}? " if close else ""
