"""Texts for XML."""

from xml.sax.saxutils import quoteattr

from stillpoint.model.names import printable


def attribute(value: str) -> str:
    """The value in quotes; control characters, which XML cannot have, as escapes."""
    return quoteattr(printable(value))
