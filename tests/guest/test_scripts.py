"""Scripts and units: which are called, how, in which order, and which are not."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.mongodb import MongoDB
from stillpoint_guest.drivers.script.driver import Script
from stillpoint_guest.drivers.systemd import Systemd
from stillpoint_guest.errors import (
    ApplicationError,
    CommandFailed,
    ConfigurationError,
    DeadlinePassed,
    SessionLost,
)
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.program import ENVIRONMENT
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.cases.case import cycle
from tests.guest.cases.scripted import peer
from tests.guest.peers import SYSTEMCTL, Peer, path_with


def script(path: Path, text: str = "exit 0") -> Path:
    """An executable that notes how it was called in the file `calls` beside it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "$(basename "$0") $*" >>{path.parent.parent}/calls\n{text}\n')
    path.chmod(0o755)
    return path


def calls(folder: Path) -> Sequence[str]:
    return (folder / "calls").read_text().splitlines()


def driver(folder: Path, method: str, **options: str) -> Driver:
    section = Section(
        "script:hooks", "script", method=method, release_s=2, options=options, source="a file"
    )
    return Script(section, UndoJournal(str(folder), section))


def test_a_folder_of_hooks_is_called_in_order_and_released_in_reverse(tmp_path: Path) -> None:
    hooks = tmp_path / "fsfreeze-hook.d"
    for name in ("20-second.sh", "10-first.sh", "30-old.sh.rpmsave"):
        script(hooks / name)
    (hooks / "README").write_text("not executable")
    cycle(driver(tmp_path, "folder", path=str(hooks)))
    expected = [
        "10-first.sh freeze",
        "20-second.sh freeze",
        "20-second.sh thaw",
        "10-first.sh thaw",
    ]
    assert calls(tmp_path) == expected


def test_scripts_of_vmware_hear_of_a_freeze_that_failed(tmp_path: Path) -> None:
    scripts = tmp_path / "backupScripts.d"
    script(scripts / "1")
    script(scripts / "2", 'if [ "$1" = freeze ]; then echo "no space for the dump" >&2; exit 4; fi')
    script(scripts / "3")
    with pytest.raises(CommandFailed, match="exit status 4: no space for the dump"):
        cycle(driver(tmp_path, "vmware", path=str(scripts)))
    assert calls(tmp_path) == ["1 freeze", "2 freeze", "2 freezeFail", "1 freezeFail"]


def test_a_pair_is_called_with_its_own_arguments(tmp_path: Path) -> None:
    before = script(tmp_path / "bin" / "pre-freeze-script")
    after = script(tmp_path / "bin" / "post-thaw-script")
    cycle(driver(tmp_path, "pair", freeze=f"{before} 'a b' c", thaw=str(after)))
    assert calls(tmp_path) == ["pre-freeze-script a b c", "post-thaw-script "]


def azure(folder: Path, before: str = "", after: str = "", **written: Any) -> Driver:
    """A driver of Azure's file, as its sample has it."""
    configuration = folder / "VMSnapshotScriptPluginConfig.json"
    sample = {
        "pluginName": "ScriptRunner",
        "preScriptLocation": str(script(folder / "bin" / "pre.sh", before)),
        "postScriptLocation": str(script(folder / "bin" / "post.sh", after)),
        "preScriptParams": ["", ""],
        "postScriptParams": ["", ""],
        "preScriptNoOfRetries": 0,
        "postScriptNoOfRetries": 0,
        "timeoutInSeconds": 30,
        "continueBackupOnFailure": True,
        "fsFreezeEnabled": True,
    }
    configuration.write_text(json.dumps({**sample, **written}), encoding="utf-8-sig")
    return driver(folder, "azure", path=str(configuration))


def test_the_pair_of_azure_is_read_from_its_file(tmp_path: Path) -> None:
    cycle(azure(tmp_path, preScriptParams=["one two", "three"]))
    assert calls(tmp_path) == ["pre.sh one two three", "post.sh "]


def test_a_script_of_azure_is_tried_again_as_often_as_its_file_says(tmp_path: Path) -> None:
    third = f'[ "$(grep -c "^$(basename "$0")" {tmp_path}/calls)" = 3 ]'
    cycle(azure(tmp_path, third, third, preScriptNoOfRetries=2, postScriptNoOfRetries=5))
    assert calls(tmp_path) == ["pre.sh "] * 3 + ["post.sh "] * 3
    failing = azure(tmp_path, "exit 5", preScriptNoOfRetries=1)
    with pytest.raises(CommandFailed, match="exit status 5"):
        cycle(failing)
    assert calls(tmp_path)[6:] == ["pre.sh ", "pre.sh ", "post.sh "]


def test_a_script_of_azure_has_the_time_of_its_file_for_all_tries(tmp_path: Path) -> None:
    slow = azure(tmp_path, "sleep 0.7; exit 1", timeoutInSeconds=1, preScriptNoOfRetries=9)
    with pytest.raises(DeadlinePassed, match=r"killed after 1\.0 s; HINT: timeoutInSeconds in "):
        cycle(slow)
    *before, after = calls(tmp_path)
    assert (set(before), after) == ({"pre.sh "}, "post.sh ")
    assert len(before) <= 2
    told = azure(tmp_path, timeoutInSeconds=60).check(Deadline.after(5))
    assert "gives 60 s, and lock_s is less" in told[1].text
    assert told[1].hint.startswith("lock_s = 60")


def test_a_backup_goes_on_without_the_pair_of_azure_if_its_file_says_so(tmp_path: Path) -> None:
    error = CommandFailed("script:hooks", "pre.sh", "exit status 5")
    for goes_on in (True, False):
        failing = azure(tmp_path, "exit 5", continueBackupOnFailure=goes_on)
        with pytest.raises(CommandFailed):
            cycle(failing)
        assert failing.section.can_be_left_out(error) is goes_on


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"fsFreezeEnabled": False}, "fsFreezeEnabled is false, and QEMU's agent freezes"),
        ({"fsFreezeEnabled": "no"}, 'fsFreezeEnabled = "no" is not true or false'),
        ({"preScriptLocation": ""}, 'preScriptLocation = "" is not the whole path'),
        ({"preScriptParams": "one"}, 'preScriptParams = "one" is not a list of texts'),
        ({"postScriptNoOfRetries": -1}, "postScriptNoOfRetries = -1 is not a number from 0 to 100"),
        ({"timeoutInSeconds": True}, "timeoutInSeconds = true is not a number"),
        ({"timeoutInSeconds": 0}, "timeoutInSeconds = 0 is not a number above 0"),
    ],
)
def test_a_file_of_azure_that_cannot_be_followed_is_refused_with_the_reason(
    tmp_path: Path, written: dict[str, Any], said: str
) -> None:
    refused = azure(tmp_path, **written)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        refused.check(Deadline.after(5))
    with pytest.raises(ApplicationError, match=re.escape(said)):
        cycle(refused)
    assert not (tmp_path / "calls").exists()


def test_a_script_that_others_can_write_is_not_called(tmp_path: Path) -> None:
    """Hazard 14."""
    path = script(tmp_path / "hooks" / "10-dump")
    path.chmod(0o777)
    with pytest.raises(ApplicationError, match=r"can be written by others.*chmod go-w"):
        cycle(driver(tmp_path, "folder", path=str(tmp_path / "hooks")))
    assert not (tmp_path / "calls").exists()


def test_a_script_that_prints_megabytes_is_let_finish(tmp_path: Path) -> None:
    script(tmp_path / "hooks" / "10-loud", "head -c 5000000 /dev/zero | tr '\\0' x")
    cycle(driver(tmp_path, "folder", path=str(tmp_path / "hooks")))
    assert calls(tmp_path) == ["10-loud freeze", "10-loud thaw"]


def test_a_script_that_hangs_at_thaw_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    script(tmp_path / "hooks" / "10-first")
    script(tmp_path / "hooks" / "20-hangs", 'if [ "$1" = thaw ]; then sleep 60; fi')
    with pytest.raises(ApplicationError, match="20-hangs thaw: not done in time"):
        cycle(driver(tmp_path, "folder", path=str(tmp_path / "hooks")))
    assert calls(tmp_path)[-1] == "10-first thaw"


def test_what_a_dead_holder_left_is_thawed_by_its_note(tmp_path: Path) -> None:
    script(tmp_path / "hooks" / "10-first")
    script(tmp_path / "hooks" / "20-second")
    dying = driver(tmp_path, "folder", path=str(tmp_path / "hooks"))
    dying.prepare(Deadline.after(5))
    holding = dying.quiesce(Deadline.after(5))
    holding.__enter__()
    noted = dying.journal.read()
    assert noted
    driver(tmp_path, "folder", path=str(tmp_path / "hooks")).reconcile(noted, Deadline.after(5))
    assert calls(tmp_path)[2:] == ["20-second thaw", "10-first thaw"]
    holding.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("folder", {}, "path =  is not a path that begins with /; method = folder needs it"),
        ("pair", {"freeze": "/bin/true"}, "thaw =  is not the whole path"),
    ],
)
def test_a_section_that_says_too_little_is_an_error(
    tmp_path: Path, method: str, options: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        driver(tmp_path, method, **options)


def test_a_unit_that_does_not_run_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer stands for systemctl."""
    peer = Peer(tmp_path / "peer", "systemctl", SYSTEMCTL)
    peer.set(unit="inactive")
    monkeypatch.setitem(ENVIRONMENT, "PATH", path_with(peer.folder))
    section = Section("systemd:shop", "systemd", options={"unit": "shop.service"})
    cycle(Systemd(section, UndoJournal(str(tmp_path), section)))
    assert peer.state["unit"] == "inactive"


def test_the_shell_of_mongodb_unlocks_by_itself_when_its_input_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is what a holder that is killed does to it; the peer stands for shell and server."""
    with peer("mongodb, its shell scripted", monkeypatch) as case:
        holding = case.driver(tmp_path)
        assert isinstance(holding, MongoDB)
        holding.prepare(Deadline.after(10))
        hold = holding.quiesce(Deadline.after(10))
        hold.__enter__()
        assert not case.runs(0)
        holding._disconnect(Deadline.after(10))
        assert case.runs(10)
        with pytest.raises(SessionLost):
            hold.__exit__(None, None, None)


def test_a_client_that_a_script_leaves_holds_its_lock_until_the_thaw(tmp_path: Path) -> None:
    """As QEMU's sample for MySQL does it; here the lock is a file's."""
    lock = tmp_path / "lock"
    free = ["flock", "--nonblock", str(lock), "true"]
    hold = f"setsid flock {lock} sleep 300 >/dev/null 2>&1 </dev/null &\n"
    hold += f"while {' '.join(free)}; do sleep 0.05; done"
    begin = f"setsid sleep 301 >/dev/null 2>&1 </dev/null & echo $! >{tmp_path}/server"
    hooks = driver(
        tmp_path,
        "pair",
        freeze=str(script(tmp_path / "bin" / "pre", hold)),
        thaw=str(script(tmp_path / "bin" / "post", begin)),
    )
    hooks.prepare(Deadline.after(10))
    with hooks.quiesce(Deadline.after(20)):
        assert subprocess.run(free, check=False).returncode == 1
    hooks.commands.close()
    assert subprocess.run([*free[:1], "--timeout=60", *free[2:]], check=False).returncode == 0
    server = int((tmp_path / "server").read_text())
    os.kill(server, 0)  # what a thaw starts is to stay
    os.kill(server, signal.SIGKILL)
