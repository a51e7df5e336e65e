"""The .rpm is installed, upgraded and removed by real rpm, on what Red Hat's systems have there.

The rest of that system is Debian's: this shows what rpm does with our package and its scripts, and
what they do with the agent's sysconfig file; no systemd and no SELinux of Red Hat's takes part.
"""

import stat
from pathlib import Path

import pytest

from tests.machine import packages
from tests.machine.distribution import Root

pytestmark = pytest.mark.e2e

SYSCONFIG = "/etc/sysconfig/qemu-ga"
BEFORE = """\
# Fsfreeze hook script specification.
#
# FSFREEZE_HOOK_PATHNAME=/dev/null           : disables the feature.
FILTER_RPC_ARGS="--allow-rpcs=guest-sync-delimited,guest-fsfreeze-freeze"
FSFREEZE_HOOK_PATHNAME=/etc/qemu-ga/fsfreeze-hook
"""
"""As Red Hat's package brings it along, shortened."""
DURING = BEFORE.replace("=/etc/qemu-ga/fsfreeze-hook", "=/usr/bin/stillpoint-guest")
CONFIGURATION = "/etc/stillpoint-guest.conf"
OWN = "[stillpoint-guest]\nprofile = fast\n"
WANTED = (
    "/etc/systemd/system/sockets.target.wants/stillpoint-guest.socket",
    "/etc/systemd/system/multi-user.target.wants/stillpoint-guest.service",
    "/etc/systemd/system/sysinit.target.wants/stillpoint-guest-on-copy.service",
)
RPM = ("rpm", "--force-debian", "--nodeps")
"""Debian's rpm knows neither that it may install, nor of Debian's Python."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """This version, and one that comes after it."""
    folder = tmp_path_factory.mktemp("packages")
    return packages.build(folder / "this").rpm, packages.build(folder / "next", "99.0.0").rpm


@pytest.fixture
def root(tmp_path: Path, built: tuple[Path, Path]) -> Root:
    """With the package of this version."""
    made = Root(tmp_path / "guest")
    made.write(SYSCONFIG, BEFORE)
    made.run(*RPM, "--install", str(built[0]))
    return made


def test_the_agent_calls_our_hook_and_the_holder_starts_with_the_guest(root: Root) -> None:
    assert root.path(SYSCONFIG).read_text() == DURING
    assert all(root.path(unit).is_symlink() for unit in WANTED)
    assert root.run("stillpoint-guest", "--version")
    assert "BLOCKED" not in root.run("sh", "-c", "stillpoint-guest check | grep 'freeze hook'")


def test_the_files_are_as_rpm_has_them_in_its_books(root: Root) -> None:
    assert root.run("rpm", "--verify", "--nodeps", "stillpoint-guest") == ""
    listed = root.run("rpm", "--query", "--list", "stillpoint-guest").split()
    for path in listed:
        mode = root.path(path).stat().st_mode
        assert not mode & (stat.S_IWGRP | stat.S_IWOTH), path
    assert CONFIGURATION in root.run("rpm", "--query", "--configfiles", "stillpoint-guest")
    assert "/usr/lib/systemd/system/stillpoint-guest.service" in listed
    assert "/usr/share/selinux/packages/stillpoint_guest.pp" in listed


def test_an_upgrade_keeps_the_hook_and_what_was_configured(
    root: Root, built: tuple[Path, Path]
) -> None:
    root.write(CONFIGURATION, OWN)
    root.run(*RPM, "--upgrade", str(built[1]))
    assert (
        root.run("rpm", "--query", "stillpoint-guest").strip() == "stillpoint-guest-99.0.0-1.noarch"
    )
    assert root.path(SYSCONFIG).read_text() == DURING
    assert root.path(CONFIGURATION).read_text() == OWN
    assert all(root.path(unit).is_symlink() for unit in WANTED)
    root.run(*RPM, "--erase", "stillpoint-guest")
    assert root.path(SYSCONFIG).read_text() == BEFORE, "that of before the first version"


def test_a_removal_gives_back_the_hook_of_before_and_leaves_no_unit(root: Root) -> None:
    listed = root.run("rpm", "--query", "--list", "stillpoint-guest").split()
    root.run(*RPM, "--erase", "stillpoint-guest")
    assert root.path(SYSCONFIG).read_text() == BEFORE
    assert [path for path in (*listed, *WANTED) if root.path(path).is_symlink()] == []
    assert [path for path in listed if root.path(path).is_file()] == []
