"""Guests that lack what others have, with the real agent: each a clear line, none left frozen."""

import shutil
from collections.abc import Iterator

import pytest

from tests.guest.lab.agent import Agent
from tests.guest.lab.inside import blocked, configure, script
from tests.guest.lab.lab import COMMAND, Lab
from tests.qemu_agent import AgentError

MEMORY = "/tmp"  # noqa: S108  a tmpfs of the lab
INSTALLED = "/usr/bin/stillpoint-guest"
SYSCONFIG = "/etc/sysconfig/qemu-ga"
# Hands the file's variable to the agent, as Red Hat's unit does with EnvironmentFile=.
RED_HATS_UNIT = (
    "sh",
    "-c",
    f'. {SYSCONFIG} && exec "$@" -F"$FSFREEZE_HOOK_PATHNAME"',
    "unit",
)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab of its own for every test, as what is taken away does not come back."""
    with Lab({"/data/a": "ext4"}) as lab:
        configure(lab, script(lab, "app", f"echo $1 >> {MEMORY}/app.log"))
        shutil.copy(lab.path(COMMAND), lab.path(INSTALLED))
        yield lab
        lab.thaw()


def done(lab: Lab) -> list[str]:
    log = lab.path(f"{MEMORY}/app.log")
    return log.read_text().split() if log.exists() else []


def make_root_read_only(lab: Lab) -> None:
    made = lab.run("mount", "-o", "remount,ro", "/")
    assert made.returncode == 0, made.stderr
    assert lab.run("touch", "/var/lib/probe").returncode != 0


def assert_refused(lab: Lab, said: str, folder: str = "/run") -> None:
    """By the hook that the agent calls, in one line, and nothing is frozen."""
    with Agent(lab, (f"--fsfreeze-hook={INSTALLED}",), folder) as agent:
        with pytest.raises(AgentError):
            agent.freeze()
        assert agent.status() == "thawed"
    assert lab.run("fsfreeze", "-u", "/data/a").returncode != 0, "it was frozen"
    assert blocked(lab) == []
    refused = lab.run(INSTALLED, "freeze")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr
    assert "HINT: mount a tmpfs on /run" in refused.stderr
    assert done(lab) == []


def test_a_read_only_root_takes_no_record_and_is_frozen_all_the_same(lab: Lab) -> None:
    make_root_read_only(lab)
    with lab.agent() as agent:
        assert agent.freeze() == 1
        assert agent.thaw() == 1
    assert done(lab) == ["freeze", "thaw"]
    checked = lab.guest("check").stdout
    assert "warning  /var/lib cannot be written: a copy will not know" in checked


def test_without_run_on_a_read_only_root_the_freeze_is_refused(lab: Lab) -> None:
    lab.run("umount", "--lazy", "/run")
    make_root_read_only(lab)
    assert_refused(lab, "/run/stillpoint-guest: make it: Read-only file system", MEMORY)


def test_a_run_that_would_be_frozen_is_refused(lab: Lab) -> None:
    """Whoever holds could then neither note nor lose anything while the disk is frozen."""
    lab.path("/data/a/run").mkdir()
    assert lab.run("mount", "--bind", "/data/a/run", "/run").returncode == 0
    assert_refused(lab, "it is on a disk, /run (ext4), and would be frozen with it")
    assert "BLOCKED  /run is not in memory" in lab.run(INSTALLED, "check").stdout


def test_the_sysconfig_file_of_red_hat_has_the_agent_call_the_hook(lab: Lab) -> None:
    lab.path(SYSCONFIG).parent.mkdir()
    lab.path(SYSCONFIG).write_text("FSFREEZE_HOOK_PATHNAME=/etc/qemu-ga/fsfreeze-hook\n")
    assert lab.run(INSTALLED, "hook", "on").returncode == 0
    with Agent(lab, (), unit=RED_HATS_UNIT) as agent:
        assert f"good     the agent's freeze hook {INSTALLED}" in lab.guest("check").stdout
        agent.freeze()
        agent.thaw()
    assert done(lab) == ["freeze", "thaw"]
