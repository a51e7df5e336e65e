"""MongoDB: as whom its shell runs, and what it may be answered; the shell is scripted."""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Report
from stillpoint_guest.drivers.mongodb import MongoDB
from stillpoint_guest.errors import ConfigurationError, Senseless, Unreachable
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.program import ENVIRONMENT, UNPRIVILEGED
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.cluster.processes import free_ports
from tests.guest import hostile
from tests.guest.cases.case import secret
from tests.guest.peers import path_with

# Answers each word with the line of its name in `answers`, and tells who it is.
SHELL = """#!/bin/sh
id -u >>"$(dirname "$0")/users"
while read -r word rest; do
    case $word in
    marker) echo "$rest" ;;
    ?*) sed -n "s/^$word //p" "$(dirname "$0")/answers" ;;
    esac
done
"""
HELLO = '{"version":"7.0.14","engine":"%s","set":"rs0","time":"","primary":true,"arbiter":%s}'
GOOD = {"hello": HELLO % ("wiredTiger", "false"), "lock": '{"locks":1}', "unlock": '{"locks":0}'}
Make = Callable[..., MongoDB]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="stillpoint-shell-") as folder:
        place = Path(folder)
        place.chmod(0o777)
        (place / "mongosh").write_text(SHELL)
        (place / "mongosh").chmod(0o755)
        answer(place)
        monkeypatch.setitem(ENVIRONMENT, "PATH", path_with(place))
        yield place


def answer(shell: Path, **changes: str) -> None:
    lines = [f"{word} {text}\n" for word, text in {**GOOD, **changes}.items()]
    (shell / "answers").write_text("".join(lines))


@pytest.fixture
def driver_of(tmp_path: Path) -> Iterator[Make]:
    made = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def make(method: str = "", **options: str) -> MongoDB:
            uri = f"mongodb://127.0.0.1:{listener.getsockname()[1]}/"
            section = Section(
                "mongodb:main", "mongodb", method=method, options={"uri": uri, **options}
            )
            made.append(MongoDB(section, UndoJournal(str(tmp_path), section)))
            return made[-1]

        yield make
    for driver in made:
        driver.commands.close()


def report_of(driver: MongoDB) -> Report:
    driver.prepare(Deadline.after(30))
    with driver.quiesce(Deadline.after(20)) as report:
        return report


def test_its_shell_is_nobody_of_this_machine(shell: Path, driver_of: Make) -> None:
    report = report_of(driver_of())
    assert (report.method, report.level) == ("fsyncLock", APPLICATION)
    assert (shell / "users").read_text() == f"{UNPRIVILEGED}\n"


WRONG = {
    "no object": {"hello": "[]"},
    "no JSON": {"hello": "hello"},
    "nested deeply": {"hello": "[" * 100000},
    "a version that is none": {"hello": HELLO.replace("7.0.14", "7; rm") % ("wiredTiger", "false")},
    "a version that is a number": {"hello": '{"version":7}'},
    "an engine that is none": {"hello": HELLO % ("a b", "false")},
    "a lock without a count": {"lock": "{}"},
    "a lock that is none": {"lock": '{"locks":0}'},
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_none_is_an_error_of_ours(
    shell: Path, driver_of: Make, name: str
) -> None:
    answer(shell, **WRONG[name])
    with pytest.raises(Senseless) as caught:
        report_of(driver_of())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("method", "hello", "level"),
    [
        ("", HELLO % ("wiredTiger", "true"), APPLICATION),
        ("journal", HELLO % ("wiredTiger", "false"), CRASH),
        ("journal", HELLO % ("wiredTiger", "true"), APPLICATION),
        ("", HELLO % ("inMemory", "false"), CRASH),
    ],
)
def test_the_level_is_what_a_copy_has(
    shell: Path, driver_of: Make, method: str, hello: str, level: str
) -> None:
    answer(shell, hello=hello)
    report = report_of(driver_of(method))
    assert report.level == level
    assert bool(report.warnings) == (level == CRASH)


def test_no_shell_is_started_for_a_strangers_server(
    shell: Path, driver_of: Make, tmp_path: Path
) -> None:
    port = free_ports(1)[0]
    uri = secret(tmp_path, f"mongodb://keeper:word@127.0.0.1:{port}/admin")
    with hostile.listener("nobody", str(port)) as heard:
        with pytest.raises(Unreachable, match="nobody listens there"):
            driver_of(password_file=uri).prepare(Deadline.after(30))
        assert heard() == []
    assert not (shell / "users").exists()


@pytest.mark.parametrize(
    ("uri", "places"),
    [
        ("mongodb://127.0.0.1/", [("127.0.0.1", 27017)]),
        ("mongodb://a:b@[::1]:27018,db:1/x?y=z", [("::1", 27018), ("db", 1)]),
        ("mongodb://%2Frun%2Fmongodb.sock/", [("/run/mongodb.sock", 0)]),
        ("mongodb+srv://shop.example/", []),
    ],
)
def test_all_that_an_address_names_is_looked_at(
    driver_of: Make, uri: str, places: list[tuple[str, int]]
) -> None:
    assert driver_of(uri=uri)._places == places


def test_what_is_no_address_is_refused_as_it_is_read(driver_of: Make, tmp_path: Path) -> None:
    for uri in ("127.0.0.1:27017", "mongodb://", "mongodb://a:b@c@d/", "mongodb://127.0.0.1/x@y"):
        with pytest.raises(ConfigurationError, match="HINT: uri = mongodb"):
            driver_of(uri=uri)
    program = tmp_path / "mongosh"
    program.touch()
    shutil.chown(program, "nobody")
    with pytest.raises(ConfigurationError, match="belongs to user"):
        driver_of(client=str(program))
