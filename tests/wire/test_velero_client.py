"""The plugin under Velero's real registry, manager, clients and logger, of two versions.

The checks are Go, in tests/peers/velero/cmd/acceptance; each is a test here.
"""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from stillpoint import catalogue
from stillpoint.calls.action import Entry, Kind, every
from tests.peers.build import binary
from tests.wire import actions_for_tests
from tests.wire.executables import plugin_for_tests, processes_of, real_plugin

PROGRAMS = {"v1.18.3": "velero-acceptance", "v1.14.0": "velero-acceptance-v1.14"}
CHECKS = (
    "backup-item-is-echoed",
    "only-the-declared-field-changes",
    "additional-items-arrive",
    "operation-is-started-asked-and-cancelled",
    "operation-is-answered-by-a-new-process",
    "progress-without-operations-is-an-error",
    "empty-backup-is-no-obstacle",
    "restore-item-is-echoed",
    "restore-sees-the-stored-item",
    "restore-is-skipped",
    "restore-waits-until-its-items-are-ready",
    "restore-operation-is-asked-and-cancelled",
    "own-error-has-its-place",
    "fault-has-its-place",
    "system-exit-is-answered",
    "keyboard-interrupt-is-answered",
    "recursion-is-answered",
    "endless-message-is-cut",
    "message-without-utf-8-is-answered",
    "outcome-without-json-is-answered",
    "missing-outcome-is-answered",
    "unknown-action-is-named",
    "refusal-is-printed-with-its-place",
    "large-items-pass",
    "parallel-calls-are-kept-apart",
    "saturated-plugin-answers-and-ends",
    "crash-is-followed-by-one-restart",
    "clean-up-is-graceful",
    "levels-are-velero-s",
    "fields-and-source-are-printed",
    "nasty-fields-are-harmless",
    "long-lines-stay-whole",
    "print-is-debug",
    "words-of-a-go-panic-change-nothing",
)
CHECKS_SINCE_1_15 = ("related-items-arrive",)
CASES = [
    *((version, check) for version in PROGRAMS for check in CHECKS),
    *(("v1.18.3", check) for check in CHECKS_SINCE_1_15),
]
LONGEST_S = 120  # a check that hangs says so itself, after 60 s


def velero(version: str, check: str, plugin: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """One run of Velero's side; it leaves neither files nor processes behind, whatever it does."""
    temporary = plugin.parent.with_name("temporary")
    temporary.mkdir(exist_ok=True)
    finished = subprocess.run(
        [binary(PROGRAMS[version]), check, f"--plugin-dir={plugin.parent}", *flags],
        env=os.environ | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert list(temporary.iterdir()) == []
    assert is_gone(plugin)
    return finished


def is_gone(plugin: Path) -> bool:
    end = time.monotonic() + 4  # by itself one ends 5 s after its parent
    while processes := processes_of(plugin):
        if time.monotonic() > end:
            pytest.fail(f"processes {processes} outlived Velero's clean-up")
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(("version", "check"), CASES)
def test_velero_is_content_that(version: str, check: str, tmp_path: Path) -> None:
    plugin = plugin_for_tests(tmp_path / "plugins", with_item_blocks=version != "v1.14.0")
    flags = ("--log-level=debug", "--features=EnableCSI", "--colorized", "false")
    finished = velero(version, check, plugin, *flags)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_every_check_of_the_program_is_a_test() -> None:
    listed = [
        subprocess.check_output([binary(program), "list"], text=True).split()
        for program in PROGRAMS.values()
    ]
    assert listed == [[*CHECKS, *CHECKS_SINCE_1_15], [*CHECKS]]


def test_velero_finds_the_whole_catalogue_of_the_real_plugin(tmp_path: Path) -> None:
    plugin = real_plugin(tmp_path / "plugins")
    assert discovered("v1.18.3", plugin) == expected(every(catalogue), plugin)


def test_velero_finds_every_test_action(tmp_path: Path) -> None:
    plugin = plugin_for_tests(tmp_path / "plugins")
    entries = every(actions_for_tests.Catalogue(with_item_blocks=True))
    assert discovered("v1.18.3", plugin) == expected(entries, plugin)


def test_velero_before_item_blocks_finds_what_it_knows(tmp_path: Path) -> None:
    plugin = plugin_for_tests(tmp_path / "plugins", with_item_blocks=False)
    entries = every(actions_for_tests.Catalogue(with_item_blocks=False))
    assert discovered("v1.14.0", plugin) == expected(entries, plugin)


def test_velero_before_item_blocks_refuses_a_plugin_that_lists_one(tmp_path: Path) -> None:
    # Its lister knows no such kind and its server does not start: stillpoint needs Velero 1.15.
    assert any(entry.kind is Kind.ITEM_BLOCK for entry in every(actions_for_tests.Catalogue()))
    finished = velero("v1.14.0", "discover", plugin_for_tests(tmp_path / "plugins"))
    assert finished.returncode == 1
    assert "invalid plugin kind: ItemBlockAction" in finished.stdout


def discovered(version: str, plugin: Path) -> list[dict[str, object]]:
    finished = velero(version, "discover", plugin)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return sorted(json.loads(finished.stdout) or [], key=_kind_and_name)


def expected(entries: Sequence[Entry], plugin: Path) -> list[dict[str, object]]:
    return sorted(
        (
            {
                "Kind": str(entry.kind),
                "Name": entry.name,
                "Command": str(plugin),
                "Labels": entry.action.APPLIES_TO.labels,
                "Resources": list(entry.action.APPLIES_TO.resources) or None,
            }
            for entry in entries
        ),
        key=_kind_and_name,
    )


def _kind_and_name(action: dict[str, object]) -> tuple[str, str]:
    return str(action["Kind"]), str(action["Name"])
