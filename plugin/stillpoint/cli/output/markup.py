"""HTML of names and sentences that anybody may have written.

`element` makes it, and nothing else does: what it gets as plain text it escapes, so that no caller
can forget to.
"""

import html
import re
from collections.abc import Iterable
from functools import cache
from typing import TypeAlias

from stillpoint.model.names import printable

_EMPTY = frozenset({"br", "input", "meta", "circle", "path", "rect"})
"""Elements without content, of HTML or SVG."""

_LINKS = frozenset({"action", "href", "src"})
"""Attributes that lead somewhere: only within the page."""

_VERBATIM = frozenset({"script", "style"})
"""Elements whose content no escape protects."""

_NAME = re.compile("[a-z][a-zA-Z0-9-]*")


class Markup(str):
    """Text of HTML as it stands in a file."""

    __slots__ = ()


Content: TypeAlias = "str | Markup | Iterable[str | Markup]"
"""Plain text, or what `element` has made, or several of both."""


def element(name: str, *content: Content, **attributes: str | float | None) -> Markup:
    """An element with its content.

    Example: `element("a", "shop/db", href="#m1")`. An attribute of None is left out, `_` in its
    name is a hyphen, and one at the end is dropped (`class_`).
    """
    tag = _tag_name(name) + "".join(
        [_attribute(key, value) for key, value in attributes.items() if value is not None]
    )
    if name in _EMPTY:
        return Markup(f"<{tag}/>")
    return Markup(f"<{tag}>{joined(*content)}</{name}>")


def joined(*content: Content) -> Markup:
    """The content, one after the other."""
    return Markup("".join(map(_content, content)))


def verbatim(name: str, trusted: str) -> Markup:
    """A `style` or `script` of this program's own; its text cannot be escaped."""
    if name not in _VERBATIM or "</" in trusted or "<!--" in trusted:
        raise ValueError(name)
    return Markup(f"<{name}>{trusted}</{name}>")


def _content(content: Content) -> str:
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return html.escape(printable(content), quote=False)
    return "".join(map(_content, content))


def _attribute(name: str, value: str | float | None) -> str:
    name = _attribute_name(name)
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if name in _LINKS and not text.startswith("#"):
        raise ValueError(text)
    return f' {name}="{html.escape(printable(text))}"'


@cache
def _tag_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name in _VERBATIM:
        raise ValueError(name)
    return name


@cache
def _attribute_name(name: str) -> str:
    name = name.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name) or name.startswith("on") or name == "style":
        raise ValueError(name)
    return name
