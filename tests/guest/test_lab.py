"""A freeze of real filesystems by QEMU's real agent, and what could go wrong with it.

The numbers in names of tests are those of docs/hazards.md. All disks are loop devices in a mount
namespace; `lab/keeper.py` says how this machine is kept safe.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from stillpoint_guest.hook.holder_start import OPTIONS

from tests.guest import campaign
from tests.guest.lab import keeper
from tests.guest.lab.agent import Agent
from tests.guest.lab.inside import (
    CONSOLE_LOG,
    STATE,
    blocked,
    configure,
    holder,
    number_inside,
    said_on_console,
    script,
    serial_console,
    status,
    until,
)
from tests.guest.lab.lab import COMMAND, HOOK, Lab, python
from tests.qemu_agent import AgentError

CYCLES = 500


def test_the_machine_of_the_tests_refuses_to_be_the_lab() -> None:
    with pytest.raises(keeper.Unsafe, match="mount namespace of this machine"):
        keeper.require_safe(os.getpid(), "/nowhere")


def test_a_lab_in_which_a_disk_of_this_machine_is_seen_is_refused(lab: Lab) -> None:
    with pytest.raises(keeper.Unsafe, match="in the lab is on"):
        keeper.require_safe(lab.process, "/another/folder")


def test_a_freeze_and_its_thaw_by_the_real_agent(lab: Lab) -> None:
    configure(lab, script(lab, "app", "echo $1 >> /run/app.log"))
    with lab.agent() as agent:
        assert agent.freeze() == len(lab.disks())
        assert agent.status() == "frozen"
        assert status(lab)["hold"]["applications"] == ["app"]
        assert agent.thaw() == len(lab.disks())
    assert lab.path("/run/app.log").read_text().split()[-2:] == ["freeze", "thaw"]
    until(lambda: status(lab)["last"]["state"] == "released", "the record says that it is over")


def test_a_freeze_is_announced_on_the_console_by_the_id_of_its_record(lab: Lab) -> None:
    with serial_console(lab, CONSOLE_LOG) as terminal, lab.agent() as agent:
        configure(lab, script(lab, "app", "exit 0"), console=terminal)
        agent.freeze()
        until(lambda: bool(said_on_console(lab)), "it says that it holds")
        record = json.loads(lab.path(f"{STATE}/record.json").read_text())
        [held] = said_on_console(lab)
        assert (held["state"], held["id"], held["apps"]) == ("held", record["id"], ["app"])
        agent.thaw()
        until(lambda: len(said_on_console(lab)) == 3, "it says that it is over")
        assert {one["id"] for one in said_on_console(lab)} == {record["id"]}


def test_a_console_that_nobody_reads_holds_nobody_up(lab: Lab) -> None:
    with serial_console(lab) as terminal, lab.agent() as agent:
        configure(lab, script(lab, "app", "exit 0"), console=terminal)
        for _ in range(3):
            assert agent.freeze() == len(lab.disks())
            assert status(lab)["hold"]["lost"] == ""
            assert agent.thaw() == len(lab.disks())
        assert status(lab)["last"]["verdict"] == "application"


def test_a_copy_cut_in_the_freeze_tells_when_and_how(lab: Lab, tmp_path: Path) -> None:
    """The record travels with the disk."""
    configure(lab, script(lab, "app", "exit 0"))
    with lab.agent() as agent:
        agent.freeze()
        record = json.loads(lab.path(f"{STATE}/record.json").read_text())
        agent.thaw()
    assert record["state"] == "held"
    assert record["applications"][0]["name"] == "app"
    state = tmp_path / "state"
    state.mkdir()
    copied = state / "record.json"
    copied.write_text(json.dumps({**record, "boot_id": "that of the original"}))
    done = subprocess.run(
        [python(), "-Bm", "stillpoint_guest", "--state", state, "--run", tmp_path, "status"],
        capture_output=True,
        text=True,
        check=False,
        cwd=campaign.ROOT / "guest_hooks",
    )
    assert f"between {record['held_at']} and" in done.stdout


def test_1_nothing_of_ours_waits_for_a_frozen_disk(lab: Lab) -> None:
    """Our own program lies on a frozen disk, without compiled modules."""
    lab.run(
        "sh", "-c", f"mkdir -p /data/a/lib; cd /data/a/lib; {python()} -m zipfile -e {COMMAND} ."
    )
    entry = "import sys; sys.path.insert(0, '/data/a/lib'); "
    entry += "from stillpoint_guest.__main__ import main; sys.exit(main(sys.argv[1:]))"
    words = (python(), OPTIONS, entry)
    configure(lab, script(lab, "app", "exit 0"))
    with lab.agent() as agent:
        agent.freeze()
        assert lab.run(*words, "status").returncode == 0
        assert lab.run(*words, "thaw").returncode == 0
        assert agent.status() == "frozen"
        assert blocked(lab) == []
        agent.thaw()
    assert not list(lab.path("/data/a/lib").rglob("__pycache__"))


def test_4_the_hook_returns_though_the_holder_it_started_lives_on(lab: Lab) -> None:
    """As agents since QEMU 9.1 read it: until nobody has the hook's output open."""
    lab.run("kill", "-9", *number_inside(holder(lab)))
    hook = subprocess.Popen(
        lab.command(HOOK, "freeze"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert hook.communicate(timeout=60)[0] == b""
    assert hook.returncode == 0
    assert holder(lab)
    assert lab.guest("thaw").returncode == 0


def test_5_one_that_refuses_ends_the_freeze_and_the_others_run_again(lab: Lab) -> None:
    first = script(lab, "first", "echo $1 >> /run/first.log")
    second = script(lab, "second", 'test "$1" = thaw || { echo no room for undo >&2; exit 3; }')
    configure(lab, first + "order = 1\n" + second)
    with lab.agent() as agent:
        with pytest.raises(AgentError):
            agent.freeze()
        assert agent.status() == "thawed"
    assert lab.path("/run/first.log").read_text().split()[-2:] == ["freeze", "thaw"]
    refused = lab.guest("freeze")
    assert refused.returncode == 1
    assert "second: " in refused.stderr
    assert "no room for undo" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_7_a_holder_that_is_killed_loses_the_hold_and_the_thaw_says_so(lab: Lab) -> None:
    configure(lab, script(lab, "app", "echo $1 >> /run/lost.log"))
    with lab.agent() as agent:
        agent.freeze()
        lab.run("kill", "-9", *number_inside(holder(lab)))
        with pytest.raises(AgentError):
            agent.thaw()
        assert agent.status() == "thawed"
    assert lab.path("/run/lost.log").read_text().split()[-1] == "thaw"  # hazard 11: noted in /run
    assert status(lab)["hold"] is None


def test_8_the_watchdog_releases_all_though_one_release_waits_for_a_frozen_disk(lab: Lab) -> None:
    first = script(lab, "first", "echo $1 >> /run/watchdog.log")
    stuck = script(lab, "stuck", 'test "$1" = freeze || echo x > /data/a/release')
    log = lab.path("/run/watchdog.log")
    with serial_console(lab, CONSOLE_LOG) as terminal, lab.agent() as agent:
        watched = {"watchdog_s": 0.5, "console": terminal}
        configure(lab, first + "order = 1\n" + stuck, **watched)
        agent.freeze()
        until(lambda: log.read_text().split()[-1] == "thaw", "the first one is released")
        assert agent.status() == "frozen"
        lost = lab.guest("thaw")
        assert lost.returncode == 1
        assert "no thaw came within 0.5 s" in lost.stderr
        until(lambda: any("by" in one for one in said_on_console(lab)), "the console says so")
        ended = [(one["by"], one["lost"]) for one in said_on_console(lab) if "by" in one]
        assert ended == [("watchdog", True)]
        agent.thaw()
    until(lambda: blocked(lab) == [], "nobody waits for a disk")
    until(lambda: lab.guest("freeze").returncode == 0, "the next freeze works")


def test_10_an_agent_that_is_killed_during_the_hook_leaves_nothing_held(lab: Lab) -> None:
    configure(lab, script(lab, "slow", 'test "$1" = thaw || { touch /run/slow.begun; sleep 2.5; }'))
    lab.path("/run/slow.begun").unlink(missing_ok=True)
    agent = lab.agent().__enter__()
    lab.command()
    agent.send("guest-fsfreeze-freeze")
    until(lambda: lab.path("/run/slow.begun").exists(), "the script runs")
    agent.kill()
    until(lambda: status(lab)["phase"] == "idle", "it is released")
    with Agent(lab, ()) as second:
        assert second.status() == "thawed"


def test_10_a_list_that_matches_nothing_is_ended_by_the_watchdog(lab: Lab) -> None:
    configure(lab, script(lab, "app", "echo $1 >> /run/list.log"), watchdog_s=0.5)
    with lab.agent() as agent:
        lab.command()
        assert agent.ask("guest-fsfreeze-freeze-list", mountpoints=["/nowhere"]) == 0
        log = lab.path("/run/list.log")
        until(lambda: log.read_text().split()[-1] == "thaw", "it is released")


def test_filesystems_that_would_lock_each_other_up_are_not_frozen(lab: Lab) -> None:
    """The agent itself hangs there until somebody runs `fsfreeze -u`."""
    lab.run(
        "sh",
        "-ec",
        "truncate -s 20M /data/a/inner.img; mkfs.ext4 -q /data/a/inner.img;"
        "mkdir -p /data/inner /data/bind; mount -o loop /data/a/inner.img /data/inner;"
        "mount --bind /data/a /data/bind",
    )
    try:
        with lab.agent() as agent:
            with pytest.raises(AgentError):
                agent.freeze()
            assert agent.status() == "thawed"
        assert "would be frozen first" in lab.guest("freeze").stderr
        assert "BLOCKED  the freeze would hang" in lab.guest("check").stdout
    finally:
        lab.run("umount", "/data/bind")
        lab.run("umount", "/data/inner")


def test_run_freezes_around_a_command_and_thaws_whatever_happens(lab: Lab) -> None:
    configure(lab)
    writes = "(echo x > /data/a/$0) 2>/dev/null >&2 & sleep 0.3; cat /data/a/$0 || echo frozen"
    done = lab.guest("run", "--filesystems", "--", "sh", "-c", writes, "one")
    assert (done.returncode, done.stdout.split()) == (0, ["frozen"])
    patient = "(echo x > /data/a/$0) 2>/dev/null >&2 & n=0; "
    patient += "until [ -s /data/a/$0 ] || [ $n = 200 ]; do n=$((n + 1)); sleep 0.1; done; "
    patient += "cat /data/a/$0 || echo frozen"
    one = lab.guest("run", "--filesystems=/data/b", "--", "sh", "-c", patient, "two")
    assert one.stdout.split() == ["x"]
    assert lab.guest("run", "--filesystems", "--", "sh", "-c", "exit 7").returncode == 7
    killing = "kill -9 $PPID; sleep 0.2"
    assert lab.guest("run", "--filesystems", "--", "sh", "-c", killing).returncode != 0
    until(lambda: status(lab)["phase"] == "idle", "the leash is let go")
    for path in lab.disks():
        assert lab.run("fsfreeze", "-u", path).returncode != 0, f"{path} was frozen"


def test_a_holder_killed_with_disks_frozen_by_it_thaws_them_at_its_next_start(lab: Lab) -> None:
    configure(lab)
    number = " ".join(number_inside(holder(lab)))
    lab.guest("run", "--filesystems", "--", "sh", "-c", f"kill -9 {number}")
    for path in lab.disks():
        assert lab.run("fsfreeze", "-u", path).returncode != 0, f"{path} was frozen"


def test_the_campaign_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    summary = campaign.run(CYCLES, seed=1)
    with capsys.disabled():
        print(f"\n  fault campaign: {campaign.told(summary)}")  # noqa: T201
    assert summary["broken"] == []
    assert summary["cycles"] >= CYCLES
    assert summary["frozen"] > 0
    assert summary["lost"] > 0
