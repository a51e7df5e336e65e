"""Switches that a user sets by a label or annotation, and whose value is read."""

from plugin.model import item as it
from plugin.model.errors import Refusal
from plugin.model.item import Item


def is_on(owner: Item, asked: Item, key: str, *, default: bool = False) -> bool:
    """Whether a switch is on.

    Args:
        owner: the object that has it, for the error.
        asked: its labels, or its annotations.
        default: what holds where it is not set at all.

    Raises:
        Refusal: it has a value that is neither yes nor no.
    """
    value = it.text(asked, key)
    if value.lower() in ("true", ""):  # the peer's documentation sets it without a value, too
        return key in asked or default
    if value.lower() != "false":
        raise without_meaning(owner, key, value, ("true", "false"))
    return False


def without_meaning(owner: Item, key: str, value: str, choices: tuple[str, ...]) -> Refusal:
    """The error for a value that is none of the choices."""
    return Refusal(
        it.describe(owner),
        f"cannot obey its {key}",
        f"it has no meaning with the value {value!r}",
        f"set it to one of {', '.join(choices)}",
    )
