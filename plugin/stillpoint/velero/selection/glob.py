"""Patterns of names as Velero matches them: `shop-*`, `team?`, `[a-f]*`, `{pods,services}`.

Velero matches with github.com/gobwas/glob. That library is followed, also where its results
surprise: `a-*-b` matches `a-b`, since beginning and end may overlap. Its faults, in some braces and
in two `[!...]` side by side, are not followed. Velero refuses both for namespaces.
"""

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      (?P<stars>\*+)
    | (?P<one>\?)
    | \[ (?P<negation>!?+) (?: (?P<low>.)-(?P<high>.) | (?!.-)(?P<set>(?: \\. | [^]\\] )+) ) \]
    | (?P<alternatives>[{},])
    | \\.?
    | [^[]
    """,
    re.VERBOSE | re.DOTALL,
)
_TEXT = r"((?: \\. | [^*?[{\\] )+)"
_TEXTS_AROUND_STARS = re.compile(rf"{_TEXT} \*+ {_TEXT}", re.VERBOSE | re.DOTALL)


def is_pattern(text: str) -> bool:
    """True if the text may match more than itself."""
    return bool(set(text) & set("*?[{\\"))


@lru_cache(maxsize=4096)  # the same for each object of a backup
def any_matches(patterns: frozenset[str], name: str) -> bool:
    """True if any pattern matches the whole name.

    Velero tries patterns in the order of their bytes, and ends at a broken one.
    """
    for pattern in sorted(patterns):
        compiled = _compile(pattern)
        if compiled is None:
            return False
        if compiled.fullmatch(name):
            return True
    return False


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> re.Pattern[str] | None:
    """The pattern as a regular expression; None if broken."""
    if around := _TEXTS_AROUND_STARS.fullmatch(pattern):
        beginning, end = map(_literal, around.groups())
        return re.compile(f"(?={beginning}).*{end}", re.DOTALL)
    parts: list[str] = []
    position, depth = 0, 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None or (token["high"] or "") < (token["low"] or ""):
            return None
        parts.append(_part(token, depth))
        depth += {"{": 1, "}": -1 if depth else 0}.get(token[0], 0)
        position = token.end()
    return re.compile("".join(parts) + ")" * depth, re.DOTALL)


def _part(token: re.Match[str], depth: int) -> str:  # noqa: PLR0911 - one for each sort
    """A token in the language of `re`; commas and closing braces are special in braces only."""
    if token["stars"]:
        return ".*"
    if token["one"]:
        return "."
    negation = "^" if token["negation"] else ""
    if token["low"]:
        return f"[{negation}{re.escape(token['low'])}-{re.escape(token['high'])}]"
    if token["set"]:
        return f"[{negation}{_literal(token['set'])}]"
    if token[0] == "{":
        return "(?:"
    if token["alternatives"] and depth:
        return {",": "|", "}": ")"}[token[0]]
    return _literal(token[0])


def _literal(text: str) -> str:
    return re.escape(re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL))
