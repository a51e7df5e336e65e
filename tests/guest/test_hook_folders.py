"""Hooks of before: those that QEMU's agent ran, which go on working, each once."""

from collections.abc import Iterator

import pytest

from tests.guest.lab.inside import configure, status
from tests.guest.lab.lab import COMMAND, Lab

QEMU = "/etc/qemu/fsfreeze-hook.d"
RED_HAT = "/etc/qemu-ga/fsfreeze-hook.d"
NAME = f"script:{QEMU}"


@pytest.fixture(autouse=True)
def empty(lab: Lab) -> Iterator[None]:
    configure(lab, discovery="yes")
    yield
    sh(lab, f"rm -rf {QEMU} {RED_HAT} /etc/vmware-tools /etc/azure /run/calls")


def sh(lab: Lab, text: str) -> None:
    done = lab.run("sh", "-ec", text)
    assert done.returncode == 0, done.stderr


def hook(lab: Lab, path: str, text: str = "") -> None:
    """A script that notes the name by which it is called."""
    lab.path(path).parent.mkdir(parents=True, exist_ok=True)
    lab.path(path).write_text(f'#!/bin/sh\necho "$(basename $0) $1" >>/run/calls\n{text}\n')
    lab.path(path).chmod(0o755)


def cycle(lab: Lab) -> list[str]:
    """What is called in one."""
    frozen = lab.guest("freeze")
    assert frozen.returncode == 0, frozen.stderr
    thawed = lab.guest("thaw")
    assert thawed.returncode == 0, thawed.stderr
    return lab.path("/run/calls").read_text().splitlines()


@pytest.mark.parametrize(("real", "link"), [(QEMU, RED_HAT), (RED_HAT, QEMU)])
def test_a_folder_that_is_a_link_to_the_other_runs_once(lab: Lab, real: str, link: str) -> None:
    hook(lab, f"{real}/app.sh")
    sh(lab, f"mkdir -p $(dirname {link}); ln -s {real} {link}")
    assert cycle(lab) == ["app.sh freeze", "app.sh thaw"]
    sh(lab, "rm /run/calls")
    configure(lab, f"[mine]\ntype = script\npath = {link}\n", discovery="yes")
    assert cycle(lab) == ["app.sh freeze", "app.sh thaw"], "nor beside a section for it"


def test_of_two_folders_what_is_in_both_runs_once(lab: Lab) -> None:
    hook(lab, f"{QEMU}/10-both.sh")
    hook(lab, f"{RED_HAT}/20-other.sh")
    sh(lab, f"ln -s {QEMU}/10-both.sh {RED_HAT}/10-again.sh")
    called = cycle(lab)
    assert sorted(called) == [
        "10-both.sh freeze",
        "10-both.sh thaw",
        "20-other.sh freeze",
        "20-other.sh thaw",
    ]


def test_of_one_folder_two_names_of_a_script_are_two(lab: Lab) -> None:
    """As QEMU's hook has it: a script may go by its name."""
    hook(lab, f"{QEMU}/10-a.sh")
    sh(lab, f"ln -s 10-a.sh {QEMU}/20-b.sh")
    assert cycle(lab) == ["10-a.sh freeze", "20-b.sh freeze", "20-b.sh thaw", "10-a.sh thaw"]


def test_a_slow_one_has_its_time_as_before(lab: Lab) -> None:
    hook(lab, f"{QEMU}/dump.sh", '[ "$1" = thaw ] || sleep 4')
    told = lab.guest("check").stdout
    assert f"{NAME}: would run {QEMU}/dump.sh freeze, within what is left of freeze_s" in told
    assert cycle(lab) == ["dump.sh freeze", "dump.sh thaw"]
    assert status(lab)["last"]["applications"][0]["timings_s"]["lock"] > 4
    configure(lab, freeze_s=2, discovery="yes")
    late = lab.guest("freeze").stderr
    assert "dump.sh freeze: not done in time, so killed after " in late
    assert f" s; HINT: a longer freeze_s, or lock_s in a section [{NAME}]" in late


def test_a_section_gives_it_another_time_and_says_which(lab: Lab) -> None:
    hook(lab, f"{QEMU}/dump.sh", '[ "$1" = thaw ] || sleep 4')
    configure(lab, f"[{NAME}]\nlock_s = 1\n", discovery="yes")
    assert "dump.sh freeze, within 1 s; HINT: a longer lock_s" in lab.guest("check").stdout
    late = lab.guest("freeze").stderr
    assert f"so killed after 1.0 s; HINT: a longer lock_s in [{NAME}], within freeze_s" in late


def test_where_this_program_is_a_hook_the_folder_is_somebody_elses_to_run(lab: Lab) -> None:
    hook(lab, f"{QEMU}/10-app.sh")
    sh(lab, f"ln -s {COMMAND} {QEMU}/20-stillpoint")
    assert lab.guest("freeze").returncode == 0
    assert lab.guest("thaw").returncode == 0
    assert not lab.path("/run/calls").exists()
    assert (
        f"{NAME}: not brought to rest: {QEMU}/20-stillpoint is this" in status(lab)["warnings"][0]
    )


def test_hooks_of_others_are_named_where_there_are_any(lab: Lab) -> None:
    folder = "/etc/vmware-tools/backupScripts.d"
    sh(lab, f"mkdir -p {folder} /etc/azure")
    assert status(lab)["warnings"] == []
    hook(lab, f"{folder}/10-app.sh")
    assert f"script:{folder}: not brought to rest" in status(lab)["warnings"][0]
    configure(lab, f"[script:{folder}]\nmethod = vmware\n", discovery="yes")
    assert status(lab)["warnings"] == []
    assert cycle(lab) == ["10-app.sh freeze", "10-app.sh thaw"]
