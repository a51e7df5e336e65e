"""Log lines as go-plugin parses them."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stillpoint.wire import stderr_log

LONGEST_LINE = 64 * 1024  # bytes, with the newline: go-plugin v1.7.0, client.go:75
PARSED_BY_GO_PLUGIN = ("@message", "@level")
TEXTS = some.text(some.characters())  # lone surrogates included


def line(
    message: str,
    fields: Mapping[str, Any] | None = None,
    level: int = logging.INFO,
    path: str = "/opt/plugin/wire/server.py",
) -> str:
    record = logging.LogRecord("stillpoint", level, path, 7, message, None, None)
    record.fields = fields
    return stderr_log.HclogFormatter().format(record)


@given(TEXTS, some.dictionaries(TEXTS, TEXTS | some.integers() | some.none(), max_size=5))
def test_any_line_is_one_json_object_that_go_plugin_can_read(
    message: str, fields: dict[str, Any]
) -> None:
    written = line(message, fields)
    assert "\n" not in written
    parsed = json.loads(written.encode("utf-8"))
    assert all(isinstance(parsed[name], str) for name in PARSED_BY_GO_PLUGIN)
    assert "@timestamp" not in parsed


@pytest.mark.parametrize("character", ["x", "🐘", "\x00", '"', "\ud83d"])
def test_no_line_is_longer_than_go_plugin_reads_at_once(character: str) -> None:
    endless = character * 1_000_000
    written = line(endless, {f"field{number}": endless for number in range(20)})
    length = len(written.encode()) + 1
    assert length < LONGEST_LINE
    assert json.loads(written)["@message"].startswith(character.replace("\ud83d", "?"))


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warn"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_levels_have_hclog_s_names(level: int, name: str) -> None:
    assert json.loads(line("x", level=level))["@level"] == name


def test_the_name_of_a_field_can_be_any_text() -> None:
    assert json.loads(line("x", {"half \ud83d": "y"}))["half ?"] == "y"


def test_fields_of_velero_s_own_are_not_overwritten() -> None:
    taken = ["time", "timestamp", "level", "msg", "@message", "@level", "@timestamp"]
    parsed = json.loads(line("said", dict.fromkeys(taken, 1)))
    assert parsed["@message"] == "said"
    assert {f"_{name}" for name in taken} < parsed.keys()
    assert not {"time", "timestamp", "level", "msg", "@timestamp"} & parsed.keys()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (stderr_log.__file__, "stillpoint/wire/stderr_log.py:7"),
        ("/plugins/stillpoint/lib/tests/actions.py", "actions.py:7"),
        ("/usr/lib/python3/site-packages/urllib3/connection.py", "connection.py:7"),
        ("frozen.py", "frozen.py:7"),
    ],
)
def test_the_place_is_short_and_marked_as_a_plugin_s(path: str, place: str) -> None:
    parsed = json.loads(line("x", path=path))
    assert parsed["logSource"] == place
    assert parsed["@logSourceSetBy"] == "plugin"


def test_an_exception_is_told_in_the_same_line() -> None:
    error = ValueError("broken\nin two")
    record = logging.LogRecord(
        "x", logging.ERROR, "x.py", 1, "it failed", None, (type(error), error, None)
    )
    written = stderr_log.HclogFormatter().format(record)
    assert "\n" not in written
    assert "ValueError: broken\nin two" in json.loads(written)["@message"]


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        ([], logging.INFO),
        (["--log-level", "debug"], logging.DEBUG),
        (["--log-level=debug"], logging.DEBUG),
        (["--features=EnableCSI", "--log-level=WARNING", "--log-format", "json"], logging.WARNING),
        (["--log-level", "fatal"], logging.ERROR),
        (["--log-level", "panic"], logging.ERROR),
        (["--log-level", "trace"], logging.DEBUG),
        (["--log-level", "loud"], logging.INFO),
        (["--log-level"], logging.INFO),
        (["--log-level="], logging.INFO),
        (["--log-levels=debug", "debug"], logging.INFO),
    ],
)
def test_velero_s_flag_sets_the_level(arguments: list[str], level: int) -> None:
    assert stderr_log._level(arguments) == level


def test_an_error_that_ends_a_thread_is_a_warning_and_no_error_of_the_backup() -> None:
    """Velero counts each error of a plugin as one of its backup, which is PartiallyFailed then."""
    program = (
        "import threading; from stillpoint.wire import stderr_log; stderr_log.set_up([]);"
        "busy = threading.Thread(target=lambda: 1 / 0, name='busy'); busy.start(); busy.join()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    [written] = ended.stderr.splitlines()
    told = json.loads(written)
    assert told["@level"] == "warn"
    assert told["@message"].startswith("thread busy has ended by a fault of the plugin\n")
    assert "ZeroDivisionError: division by zero" in told["@message"]


def test_more_connections_than_urllib3_keeps_are_no_warning_of_the_backup() -> None:
    """Velero counts each warning of a plugin as one of its backup."""
    program = (
        "import urllib3; from stillpoint.wire import stderr_log; stderr_log.set_up([]);"
        "pool = urllib3.HTTPConnectionPool('127.0.0.1', maxsize=1, block=False);"
        "connections = [pool._get_conn() for _ in range(3)];"
        "[pool._put_conn(one) for one in connections]"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ended.stderr == b""
