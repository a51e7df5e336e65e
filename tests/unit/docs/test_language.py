"""Holds what can be held of docs/glossary.md: names and docstrings of the product.

A past participle as a function's name promises a pure value, so a function with such a name neither
changes anything outside of this process nor calls a function of its own module that does.
"""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = (ROOT / "plugin" / "stillpoint", ROOT / "guest_hooks" / "stillpoint_guest")

NOT_FIRST = {"What", "Whether", "Those"}

INSTEAD = {
    "anew": "again, recreate",
    "in vain": "times out, fails",
    "not to be had": "unavailable",
    "told": "reported, given, named",
}
"""What neither sources nor pages say, and what the glossary has for it."""

NO_PARTICIPLES = {"embed", "exceed", "feed", "need", "proceed", "red", "seed", "speed", "succeed"}
IRREGULAR = {
    "begun", "born", "bought", "bound", "broken", "brought", "built", "caught", "chosen", "done",
    "drawn", "fallen", "forgotten", "found", "frozen", "given", "gone", "held", "hidden", "hung",
    "kept", "known", "laid", "led", "left", "lent", "lost", "made", "meant", "met", "paid", "said",
    "seen", "sent", "shown", "shut", "sold", "sought", "spent", "stood", "stuck", "sworn", "taken",
    "taught", "thawed", "thought", "thrown", "told", "torn", "woken", "won", "worn", "written",
}  # fmt: skip

EFFECTS = {
    "Popen", "Thread", "bind", "chmod", "chown", "connect", "flock", "ioctl", "kill", "killpg",
    "listen", "makedirs", "mkdir", "mkdtemp", "patch", "rmtree", "sendall", "symlink", "touch",
    "unlink", "write", "write_bytes", "write_text", "writelines",
}  # fmt: skip
"""Names that mean an effect whatever they are called on."""

EFFECTS_OF = {
    "os": {"link", "remove", "rename", "replace", "rmdir", "truncate"},
    "subprocess": {"call", "check_call", "check_output", "run"},
    "writer": {"create"},
}
"""Names that mean an effect on this receiver, and nothing on others."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def modules() -> list[tuple[str, ast.Module]]:
    return [
        (str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8")))
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        if "generated" not in path.parts
    ]


def is_participle(name: str) -> bool:
    first = name.lstrip("_").partition("_")[0]
    return first in IRREGULAR or (first.endswith("ed") and first not in NO_PARTICIPLES)


def effect(call: ast.Call) -> str:
    """The call's own name if it is one of an effect; else empty."""
    match call.func:
        case ast.Name(id=name) if name in EFFECTS:
            return name
        case ast.Attribute(attr=name) if name in EFFECTS:
            return name
        case ast.Attribute(value=ast.Name(id=receiver) | ast.Attribute(attr=receiver), attr=name):
            return name if name in EFFECTS_OF.get(receiver, ()) else ""
    return ""


def own_callee(call: ast.Call) -> str:
    """The name of a function of the same module, or of a method of the same object."""
    match call.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return name
    return ""


def functions(module: ast.Module) -> Mapping[str, list[Function]]:
    found: dict[str, list[Function]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def way_to_effect(name: str, all_of: Mapping[str, list[Function]]) -> list[str]:
    """The calls from a function to an effect, through functions of its module; empty without."""
    ways, seen = [[name]], {name}
    for way in ways:
        calls = [
            node
            for function in all_of[way[-1]]
            for node in ast.walk(function)
            if isinstance(node, ast.Call)
        ]
        for call in calls:
            if called := effect(call):
                return [*way, called]
            callee = own_callee(call)
            if callee in all_of and callee not in seen:
                seen.add(callee)
                ways.append([*way, callee])
    return []


def denying(module: ast.Module) -> list[str]:
    """Participles whose functions have an effect, each with the way to it."""
    all_of = functions(module)
    ways = (way_to_effect(name, all_of) for name in all_of if is_participle(name))
    return [" -> ".join(way) for way in ways if way]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def bound(s): s.bind(1)", ["bound -> bind"]),
        ("def told(n):\n return _say(n)\ndef _say(n): n.write('')", ["told -> _say -> write"]),
        (
            "class A:\n def _held(self): self.go()\n def go(self): os.rename(1, 2)",
            ["_held -> go -> rename"],
        ),
        ("def made(writer): writer.create(1)", ["made -> create"]),
        ("def renamed(name): return name.replace('a', 'b')", []),
        ("def feed(file): file.write('')", []),
        ("def kept(found): found.remove(1)", []),
    ],
)
def test_a_participle_with_an_effect_is_found(source: str, found: list[str]) -> None:
    assert denying(ast.parse(source)) == found


def test_what_has_an_effect_is_not_called_by_a_participle() -> None:
    found = [f"{path}: {way}" for path, module in modules() for way in denying(module)]
    assert not found, "docs/glossary.md, Names: an effect has a verb"


def docstrings(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            line = 1 if isinstance(node, ast.Module) else node.lineno
            yield line, ast.get_docstring(node) or ""


def test_docstrings_name_their_subject() -> None:
    found = [
        f"{path}:{line}: {docstring.splitlines()[0]}"
        for path, module in modules()
        for line, docstring in docstrings(module)
        if docstring.split(maxsplit=1)[:1] and docstring.split(maxsplit=1)[0] in NOT_FIRST
    ]
    assert not found, "docs/glossary.md, Docstrings: no What, Whether or Those first"


def pages() -> Iterator[Path]:
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "RELEASING.md"))
    yield from (path for path in (ROOT / "docs").rglob("*.md") if path.name != "glossary.md")


@pytest.mark.parametrize("words", INSTEAD)
def test_sources_and_pages_speak_the_words_of_the_glossary(words: str) -> None:
    pattern = re.compile(rf"\b{words}\b".replace(" ", r"\s+"), re.IGNORECASE)
    sources = (path for package in PACKAGES for path in package.rglob("*.py"))
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
        for path in (*sources, *pages())
        if "generated" not in path.parts
        for text in [path.read_text("utf-8")]
        for match in pattern.finditer(text)
    ]
    assert not found, f"docs/glossary.md instead of {words!r}: {INSTEAD[words]}"
