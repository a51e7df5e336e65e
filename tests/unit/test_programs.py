"""Every program that tests, packaging and benchmarks start is installed by the Makefile.

A program is the name of a file on this machine's PATH: one that is here by chance may be missing
on the next, and what this machine lacks fails where it is started. It begins an argument list,
which has an option or is given to a function that starts processes, or a command of a script.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")

ESSENTIAL = frozenset(
    """
    [ apt-get bash cat chmod chown chroot clear comm cp cut dirname dpkg dpkg-deb dpkg-query echo
    env false findmnt flock fsfreeze grep gzip head id install last ldconfig ldd link ln localedef
    losetup ls mkdir mkfifo mktemp mount mv nproc nsenter pivot_root printf pwd rm script sed
    setpriv setsid sh sha256sum sleep sort stat sync tail tar test timeout touch tr true truncate
    umount unshare useradd wc yes
    """.split()
)
"""Programs of packages that Debian calls essential or required."""
GIVEN = frozenset({"go", "make", "python3"})
"""Requirements that README names."""
BROUGHT_ALONG = {
    "btrfs-progs": ("btrfs",),
    "e2fsprogs": ("debugfs", "dumpe2fs", "e2fsck"),
    "mariadb-server": ("mariadb", "mariadb-install-db", "mysql", "mysqld"),
    "ntfs-3g": ("ntfs-3g",),
    "postgresql": ("pg_basebackup", "postgres"),
    "procps": ("kill",),
    "redis-server": ("redis-cli",),
    "rpm": ("rpm2archive",),
    "systemd": ("systemd", "systemd-analyze", "systemd-run"),
}
"""More programs that a package of the lists brings, itself or by its dependencies."""
LISTS_OF_ROOMS = (
    ("packaging/guest", ("PROGRAMS_PACKAGES",)),
    ("packaging", ("PROGRAMS_IMAGE", "PROGRAMS_PACKAGES")),
    ("tests/machine", ("PROGRAMS", "PROGRAMS_IMAGE", "PROGRAMS_PACKAGES", "PROGRAMS_E2E")),
    ("tests/browser", ("PROGRAMS", "PROGRAMS_BROWSER")),
    ("tests", ("PROGRAMS", "PROGRAMS_IMAGE")),
    ("benchmarks", ("PROGRAMS", "PROGRAMS_IMAGE", "PROGRAMS_E2E")),
)
"""Lists that are installed before the files of a room run; the first room that fits counts."""
RUN_ELSEWHERE = (
    *("packaging/guest/postinstall", "packaging/guest/preremove"),
    *("packaging/bill_of_materials.py", "packaging/payload.py"),
)
"""Files that run in guests, or in the base image of packaging/local-bases."""

STARTERS = frozenset(
    "answer check_output execvp guest mount output_of Popen read_from run _run sh which".split()
)
"""Functions whose first argument is a program or an argument list; `sh` takes a script."""

SHELL = re.compile(r"#!/bin/(ba)?sh")
COMMAND = re.compile(
    r"(?:^|[\n;|&({!])\s*(?:(?:then|do|else|exec|if|while|until|!)\s+)*([\w./+\[-]+)(?![\w=])"
)
COMMAND_OPTION = re.compile(r"-\w*c")


def installed(name: str) -> frozenset[str]:
    """Programs that one of the Makefile's lists installs."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (listed,) = re.findall(rf"^{name} := (.*)$", text, re.MULTILINE)
    pairs = [each.split(":") for each in listed.split() if ":" in each]
    along = {one for _, package in pairs for one in BROUGHT_ALONG.get(package, ())}
    return frozenset({program for program, _ in pairs} | along)


def scripts() -> Iterator[Path]:
    for room in ("tests", "packaging", "benchmarks"):
        for file in sorted((ROOT / room).rglob("*")):
            if (
                file.is_file()
                and "__pycache__" not in file.parts  # where others write just now
                and str(file.relative_to(ROOT)) not in RUN_ELSEWHERE
            ):
                yield file


def started_by(file: Path) -> Iterator[tuple[str, int]]:
    """Candidates and their lines: some are plain words."""
    if file.suffix == ".py":
        for node in ast.walk(ast.parse(file.read_text())):
            yield from begun_by(argument_list(node))
    elif SHELL.match(file.read_bytes()[:20].decode(errors="replace")):
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            if not line.lstrip().startswith("#"):
                yield from ((name, number) for name in COMMAND.findall(line))


def argument_list(node: ast.AST) -> Sequence[ast.expr]:
    """Its parts, if the node can be one."""
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) if has_options(parts):
            return parts
        case ast.Call(func=ast.Attribute(attr=called) | ast.Name(id=called), args=parts) if (
            called in STARTERS or has_options(parts)
        ):
            match parts:
                case [ast.List(elts=words) | ast.Tuple(elts=words), *_]:
                    return words
            return parts
    return ()


def has_options(parts: Sequence[ast.expr]) -> bool:
    return any(isinstance(part, ast.Starred) or literal(part).startswith("-") for part in parts)


def begun_by(parts: Sequence[ast.expr]) -> Iterator[tuple[str, int]]:
    """The first word of an argument list, and commands of a script in it or in `sh(where, ...)`."""
    texts = [literal(part) for part in parts]
    for place, (part, text) in enumerate(zip(parts, texts, strict=True)):
        if place == 0 and " " not in text:
            yield text, part.lineno
        elif place and (COMMAND_OPTION.fullmatch(texts[place - 1]) or (" " in text and place == 1)):
            yield from ((name, part.lineno) for name in COMMAND.findall(text))


def literal(node: ast.expr) -> str:
    """A string without what is filled in; nothing for other expressions."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal(part) or "X" for part in parts)
    return ""


def is_program(name: str) -> bool:
    return any((Path(folder) / name).is_file() for folder in FOLDERS)


@pytest.mark.parametrize("room", [room for room, _ in LISTS_OF_ROOMS])
def test_every_program_that_is_started_is_installed_by_the_makefile(room: str) -> None:
    known = ESSENTIAL | GIVEN
    known |= frozenset().union(*map(installed, dict(LISTS_OF_ROOMS)[room]))
    missing = {}
    for file in scripts():
        name_of_file = str(file.relative_to(ROOT))
        if room_of(name_of_file) != room:
            continue
        for started, line in started_by(file):
            name = started.rpartition("/")[2]
            if name and name not in known and is_program(name):
                missing[name] = f"{name_of_file}:{line}"
    assert missing == {}, "in none of the Makefile's lists"


def room_of(name: str) -> str:
    return next(room for room, _ in LISTS_OF_ROOMS if name.startswith(f"{room}/"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('run(["objdump", "-T", file])', {"objdump"}),
        ('lab.run("losetup", "-f")', {"losetup"}),
        ('which("etcd")', {"etcd"}),
        ('subprocess.run(["etcd"], check=True)', {"etcd"}),
        ('("unshare", *("setpriv", "--reuid=1"))', {"unshare", "setpriv"}),
        (
            '["sh", "-ec", "cd /; x=$(git log); exec mvn -q && tar x"]',
            {"sh", "cd", "git", "mvn", "tar"},
        ),
        ('sh(lab, f"mkntfs -F {disk} | wc; true")', {"mkntfs", "wc", "true"}),
    ],
)
def test_what_is_started_is_found(tmp_path: Path, text: str, names: set[str]) -> None:
    file = tmp_path / "program.py"
    file.write_text(text)
    assert names <= {name for name, _ in started_by(file)}
