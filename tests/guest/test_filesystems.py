"""Filesystems in filesystems, and what no freeze reaches: what would hang, or promise too much.

All in a lab with real ext4, xfs, btrfs, squashfs and FUSE, and with QEMU's real agent where it does
not hang. Every danger is beside a neighbour in which nothing is wrong.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.processes import Processes
from tests.guest import databases
from tests.guest.databases import as_user
from tests.guest.lab.inside import STATE, configure, script, status, until
from tests.guest.lab.lab import COMMAND, Lab
from tests.qemu_agent import AgentError

# A share whose server can be stopped: NTFS in a file has no block device for the agent.
SHARE = """mkdir -p /data/share
truncate -s 20M /run/share.img; mkntfs -q -F -f /run/share.img >/dev/null
ntfs-3g /run/share.img /data/share
grep ' /data/share .* - fuse ' /proc/self/mountinfo"""
STOP = "kill -STOP $(pgrep -x ntfs-3g)"
GOOD = "good     the filesystems can be frozen in the agent's order"
GO_ON = "kill -CONT $(pgrep -x ntfs-3g)"


@contextmanager
def guest(disks: Mapping[str, str]) -> Iterator[Lab]:
    with Lab({STATE: "ext4", **disks}) as lab:
        configure(lab)
        try:
            yield lab
        finally:
            lab.thaw()


def sh(lab: Lab, text: str, timeout_s: float = 60) -> str:
    done = lab.run("sh", "-ec", f"cd /\n{text}", timeout_s=timeout_s)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def image(lab: Lab, file: str, kind: str, path: str, options: str = "loop") -> None:
    megabytes = 115 if kind == "btrfs" else 40
    sh(lab, f"truncate -s {megabytes}M {file}; mkfs.{kind} -q {file} >/dev/null")
    sh(lab, f"mkdir -p {path}; mount -o {options} {file} {path}")


def is_writable(lab: Lab, path: str, within_s: float = 20) -> bool:
    """Asked by a process that may be left behind."""
    done = f"/run/ok-{time.monotonic_ns()}"
    sh(lab, f"(touch {path}/x && echo >{done}) >/dev/null 2>&1 </dev/null &")
    deadline = time.monotonic() + within_s
    while not lab.path(done).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return lab.path(done).exists()


@pytest.mark.parametrize(
    ("outer", "inner"), [("ext4", "ext4"), ("btrfs", "ext4"), ("ext4", "btrfs"), ("btrfs", "btrfs")]
)
def test_a_disk_in_a_file_of_a_filesystem_that_is_frozen_first_is_refused(
    outer: str, inner: str
) -> None:
    """QEMU's agent would hang; a btrfs has one number in mountinfo and another for `stat`."""
    with guest({"/data/a": outer}) as lab:
        sh(lab, "mkdir -p /data/a/sub /srv/x")
        image(lab, "/data/a/in.img", inner, "/data/in")
        assert GOOD in lab.guest("check").stdout
        with lab.agent() as agent:
            assert agent.freeze() == 3
            agent.thaw()
        sh(lab, "mount --bind /data/a/sub /srv/x")
        assert_refused(lab)
        sh(lab, "umount /srv/x; umount /data/in")
        with lab.agent() as agent:
            assert agent.freeze() == 2
            agent.thaw()


def assert_refused(lab: Lab) -> None:
    refused = lab.guest("freeze")
    assert refused.returncode == 1
    assert "/data/in is in the file /data/a/in.img" in refused.stderr
    assert "frozen first, at /srv/x" in refused.stderr
    assert "BLOCKED  the freeze would hang: /data/in" in lab.guest("check").stdout
    assert lab.guest("run", "--filesystems", "--", "true").returncode == 1
    with lab.agent() as agent:
        with pytest.raises(AgentError):
            agent.freeze()
        assert agent.status() == "thawed"


def test_so_it_is_when_the_file_can_no_more_be_seen_by_its_path() -> None:
    """Covered by a newer mount, or the image has the folder of its own file as its place."""
    with guest({"/data/a": "ext4"}) as lab:
        sh(lab, "mkdir -p /data/a/sub /srv/x")
        image(lab, "/data/a/sub/in.img", "ext4", "/data/in")
        sh(lab, "mount --bind /data/a /srv/x; mount -t tmpfs cover /data/a/sub")
        refused = lab.guest("freeze")
        assert "/data/in is in the file /data/a/sub/in.img" in refused.stderr
        sh(lab, "umount /data/a/sub; umount /srv/x; umount /data/in")
        image(lab, "/data/a/in.img", "ext4", "/data/a")
        with lab.agent() as agent:
            assert agent.freeze() == 2
            agent.thaw()


def test_a_read_only_image_is_no_danger() -> None:
    """Such as snaps, beside what containers bind: nothing is written by their freeze."""
    with guest({"/data/a": "ext4"}) as lab:
        sh(lab, "mkdir -p /data/a/sub /srv/x /snap")
        sh(lab, "mksquashfs /etc/apt /data/a/core.snap -quiet -no-progress >/dev/null")
        sh(lab, "mount -o loop,ro /data/a/core.snap /snap")
        image(lab, "/data/a/iso.img", "ext4", "/data/iso")
        sh(lab, "umount /data/iso; mount -o loop,ro /data/a/iso.img /data/iso")
        sh(lab, "mount --bind /data/a/sub /srv/x")
        assert GOOD in lab.guest("check").stdout
        with lab.agent() as agent:
            assert agent.freeze() == 3
            assert not is_writable(lab, "/data/a", 0.5)
            agent.thaw()


def test_an_image_on_a_share_that_is_gone_holds_nobody_up() -> None:
    with guest({"/data/a": "ext4"}) as lab:
        sh(lab, SHARE)
        sh(lab, "mksquashfs /etc/apt /data/share/image -quiet -no-progress >/dev/null")
        sh(lab, f"mkdir /repo; mount -o loop,ro /data/share/image /repo; ls /repo; {STOP}")
        try:
            for _ in range(2):
                begun_s = time.monotonic()
                with lab.agent() as agent:
                    assert agent.freeze() == 2
                    assert time.monotonic() - begun_s < 16  # KubeVirt gives up after 20
                    agent.thaw()
            assert GOOD in lab.guest("check").stdout
        finally:
            sh(lab, f"{GO_ON}; umount /repo; umount /data/share")


def test_a_disk_on_a_share_that_is_gone_is_refused_in_time() -> None:
    """The agent would hang in it, or the freeze of another would."""
    with guest({"/data/a": "ext4"}) as lab:
        configure(lab, freeze_s=4)
        sh(lab, SHARE)
        sh(lab, "truncate -s 8M /data/share/image; mkfs.ext4 -q /data/share/image")
        sh(lab, "mkdir /data/in; mount -o loop /data/share/image /data/in")
        sh(lab, f"echo x > /data/in/dirty; {STOP}")
        try:
            begun_s = time.monotonic()
            refused = lab.guest("freeze")
            assert refused.returncode == 1
            assert "/data/in: sync it: not done in time" in refused.stderr
            assert time.monotonic() - begun_s < 16  # KubeVirt gives up after 20
            again = lab.guest("freeze")
            assert "already" not in again.stderr
        finally:
            sh(lab, f"{GO_ON}; sync -f /data/in; sleep 1; umount /data/in; umount /data/share")
        assert lab.guest("freeze").returncode == 0
        assert lab.guest("thaw").returncode == 0


def test_what_the_agent_cannot_open_is_found_by_check() -> None:
    with guest({"/data/a": "ext4", "/data/d": "ext4"}) as lab:
        sh(lab, "mkdir -p /data/a/sub/deep")
        image(lab, "/data/d/i.img", "ext4", "/data/a/sub/deep")
        sh(lab, "mount -t tmpfs over /data/a/sub")
        with lab.agent() as agent, pytest.raises(AgentError, match="failed to open"):
            agent.freeze()
        told = lab.guest("check")
        assert told.returncode == 1
        assert "BLOCKED  the agent's freeze would fail: /data/a/sub/deep (ext4)" in told.stdout
        sh(lab, "umount /data/a/sub; umount /data/a/sub/deep")
        sh(lab, "mkfifo /data/a/pipe /run/pipe; mount --bind /data/a/pipe /run/pipe")
        assert "/run/pipe (ext4): it is a pipe" in lab.guest("check").stdout
        with lab.agent() as agent:
            with pytest.raises(AgentError):  # it would wait in it, with filesystems frozen
                agent.freeze()
            assert agent.status() == "thawed"
        sh(lab, "umount /run/pipe; mount -t tmpfs over /data/a")
        assert "warning  /data/a (ext4) is covered by another" in lab.guest("check").stdout


def test_where_nothing_can_be_frozen_nothing_is_held() -> None:
    """The agent says that it froze nothing, and with that it is over: nobody thaws."""
    with Lab({}) as lab:
        configure(lab, script(lab, "app", "echo $1 >> /run/app.log") + "required = no\n")
        with lab.agent() as agent:
            assert agent.freeze() == 0
            assert agent.status() == "thawed"
            assert status(lab)["hold"] is None
            assert status(lab)["phase"] == "idle"
        assert not lab.path("/run/app.log").exists()
        last = status(lab)["last"]
        assert last["verdict"] == "filesystem"
        assert "no filesystem of this guest can be frozen" in last["warnings"][0]
        assert "no filesystem" in last["applications"][0]["error"]
        told = lab.guest("check")
        assert "warning  no filesystem of this guest can be frozen" in told.stdout
        assert lab.guest("thaw").returncode == 0
        configure(lab, script(lab, "app", "echo $1 >> /run/app.log"))
        with lab.agent() as agent, pytest.raises(AgentError):
            agent.freeze()
        refused = status(lab)["last"]["refused"]
        assert "app: bring it to rest: no filesystem of this guest can be frozen" in refused
        assert "BLOCKED  no filesystem" in lab.guest("check").stdout
        assert lab.guest("run", "--", "true").returncode == 0
        assert status(lab)["last"]["verdict"] == "filesystem"


def test_who_is_not_the_agent_has_a_hold_without_frozen_filesystems() -> None:
    """A backup by other means, ZFS's snapshots for instance: who asks thaws, and cuts at once."""
    with Lab({}) as lab:
        configure(lab, script(lab, "app", "echo $1 >> /run/app.log"))
        assert lab.guest("freeze").returncode == 0
        assert status(lab)["hold"]["applications"] == ["app"]
        assert lab.guest("thaw").returncode == 0
        assert lab.path("/run/app.log").read_text().split() == ["freeze", "thaw"]
        last = status(lab)["last"]
        assert [one["level"] for one in last["applications"]] == ["application"]
        assert (last["verdict"], last["warnings"]) == ("application", [])


def test_a_disk_that_answers_no_more_keeps_no_other_frozen() -> None:
    """An image in a file of a filesystem that somebody else has frozen stands for it."""
    with guest({"/data/a": "ext4", "/data/d": "xfs"}) as lab:
        configure(lab, freeze_s=3)
        image(lab, "/data/a/in.img", "ext4", "/data/in")
        sh(lab, "mkdir -p /srv/d; mount --bind /data/d /srv/d")  # newer, so frozen before
        sh(lab, "sync -f /data/in; sleep 1; sync; fsfreeze -f /data/a")
        try:
            refused = lab.guest("run", "--filesystems=/data/d,/data/in", "--", "true")
            assert refused.returncode == 1
            assert "freeze /data/in: its disk does not answer in time" in refused.stderr
            assert is_writable(lab, "/data/d")
            assert (
                "filesystems: what was noted for a hold is not undone" in lab.guest("thaw").stderr
            )
            assert "filesystems: freeze: its driver still hangs" in lab.guest("freeze").stderr
        finally:
            sh(lab, "fsfreeze -u /data/a")
        until(lambda: is_writable(lab, "/data/in"), "what came too late undoes itself")
        assert lab.guest("thaw").returncode == 0
        assert lab.guest("run", "--filesystems", "--", "true").returncode == 0


def test_a_client_that_goes_away_while_a_disk_hangs_leaves_no_other_frozen() -> None:
    with guest({"/data/a": "ext4", "/data/d": "ext4"}) as lab:
        configure(lab, freeze_s=30)
        image(lab, "/data/a/in.img", "ext4", "/data/in")
        sh(lab, "mkdir -p /srv/d; mount --bind /data/d /srv/d")
        sh(lab, "sync -f /data/in; sleep 1; sync; fsfreeze -f /data/a")
        try:
            lab.run("timeout", "-s", "KILL", "3", COMMAND, "run", "--filesystems=/data/d,/data/in")
            until(lambda: is_writable(lab, "/data/d"), "the other disk writes")
        finally:
            sh(lab, "fsfreeze -u /data/a")


def test_run_skips_what_the_agent_skips_and_says_so() -> None:
    with guest({"/data/a": "ext4", "/data/c": "btrfs"}) as lab:
        sh(lab, "truncate -s 20M /data/a/efi.img; losetup -f --show /data/a/efi.img >/run/loop")
        sh(lab, "mkdir -p /boot/efi; mkntfs -q -F -f $(cat /run/loop) >/dev/null 2>&1")
        sh(lab, "ntfs-3g $(cat /run/loop) /boot/efi; fsfreeze -f /data/c")
        try:
            done = lab.guest("run", "--filesystems", "--", "true")
            assert done.returncode == 0, done.stderr
            told = status(lab)["last"]["applications"][0]
            assert told["guarantees"] == [f"/data/a, {STATE}: nothing was written"]
            assert told["warnings"] == [
                "/boot/efi (fuseblk) is skipped: it cannot be frozen",
                "/data/c (btrfs) is skipped: it was frozen by somebody else, who may thaw it",
            ]
            assert not is_writable(lab, "/data/c", 0.5), "it is theirs to thaw"
            asked = lab.guest("run", "--filesystems=/boot/efi", "--", "true")
            assert "no filesystem of this guest can be frozen" in asked.stderr
        finally:
            sh(lab, "fsfreeze -u /data/c; umount /boot/efi; losetup -d $(cat /run/loop)")


def test_run_finds_the_filesystem_of_a_path_of_any_kind() -> None:
    with guest({"/data/a": "ext4", "/data/c": "btrfs"}) as lab:
        sh(lab, "btrfs subvolume create /data/c/sub >/dev/null; mkdir /data/c/sub/deep")
        sh(lab, "ln -s /data/c/sub/deep /data/a/link; mkdir /srv/v")
        sh(lab, "mount -o subvol=sub $(findmnt -no SOURCE /data/c) /srv/v")
        write = "(echo x > /data/c/$0) 2>/dev/null >&2 & sleep 0.3; cat /data/c/$0 || echo frozen"
        for number, path in enumerate(("/data/c", "/data/c/sub/deep", "/data/a/link", "/srv/v")):
            words = ("sh", "-c", write, f"file{number}")
            done = lab.guest("run", f"--filesystems={path}", "--", *words)
            assert (done.returncode, done.stdout.split()) == (0, ["frozen"]), path
        for path in ("/data/cc", "/run", "/data/a/none"):
            done = lab.guest("run", f"--filesystems={path}", "--", "true")
            assert f"freeze {path}: no filesystem on a disk is mounted there" in done.stderr


@contextmanager
def postgres(lab: Lab, processes: Processes, script: str = "", **places: Path) -> Iterator[Any]:
    """A cluster that is there already, started by `script`, which ends in `exec "$@"`."""
    server = databases.Postgres(Path("/data/a/pg"), processes)
    server.seen = lambda path: lab.path(str(path))
    server.prefix = lab.command()
    words = ["sh", "-ec", script, "sh", *as_user("postgres"), *map(str, server.command)]
    words = [*server.prefix, *(words if script else words[4:])]
    if not server.seen(server.data).exists():
        server.create()
    place = str(places.get("data", server.data))
    words = [place if word == str(server.data) else word for word in words]
    server.process = processes.start(f"pg-{time.monotonic_ns()}", words, folder=Path("/"))
    processes.wait(server.process, server.answers, "answering", 60)
    try:
        yield server
    finally:
        server.stop()


def told(lab: Lab) -> tuple[str, str, Sequence[str]]:
    """Verdict, level and warnings of the one application, by the agent's freeze; and by check."""
    with lab.agent() as agent:
        agent.freeze()
        agent.thaw()
    last = status(lab)["last"]
    assert len(last["applications"]) == 1, last
    one = last["applications"][0]
    lines = lab.guest("check").stdout.splitlines()
    for warning in one["warnings"]:
        assert any(line.startswith("warning") and warning in line for line in lines), warning
    assert bool(one["guarantees"]) == (one["level"] == "application")
    return last["verdict"], one["level"], one["warnings"]


def test_a_verdict_is_of_data_that_the_freeze_holds(processes: Processes) -> None:
    good: tuple[str, str, Sequence[str]] = ("application", "application", [])
    with guest({"/data/a": "ext4", "/data/c": "btrfs"}) as lab:
        configure(lab, discovery="yes")
        with postgres(lab, processes) as server:
            assert told(lab) == good
            sh(lab, "mkdir /mem; mount -t tmpfs mem /mem; install -d -o postgres /mem/space")
            server.query("CREATE TABLESPACE fast LOCATION '/mem/space'")
            why = "/mem/space is on /mem (tmpfs), which this freeze does not hold"
            assert told(lab) == ("filesystem", "crash", [why])
            server.query("DROP TABLESPACE fast")
        sh(lab, "mv /data/a/pg/data/pg_wal /mem/wal; ln -s /mem/wal /data/a/pg/data/pg_wal")
        with postgres(lab, processes):
            verdict, level, warnings = told(lab)
            assert (verdict, level) == ("filesystem", "crash")
            assert "is on /mem (tmpfs)" in " ".join(warnings)
        sh(lab, "rm /data/a/pg/data/pg_wal; btrfs subvolume create /data/c/wal >/dev/null")
        sh(lab, "cp -a /mem/wal /data/c/wal/wal; ln -s /data/c/wal/wal /data/a/pg/data/pg_wal")
        sh(lab, "mkdir -p /srv/bound; mount --bind /data/a/pg /srv/bound; ln -s /srv/bound /srv/l")
        sh(lab, "mount -t tmpfs scratch /data/a/pg/data/pg_stat_tmp -o mode=777")
        with postgres(lab, processes, data=Path("/srv/l/data")):
            assert told(lab) == good, "links, binds, subvolumes and scratch folders are no matter"
        sh(lab, "umount /data/a/pg/data/pg_stat_tmp /srv/bound")


def test_where_data_lies_is_seen_by_the_server_and_held_by_the_agent(processes: Processes) -> None:
    """Each has mounts of its own."""
    with guest({"/data/a": "ext4"}) as lab:
        configure(lab, discovery="yes")
        with postgres(lab, processes):
            pass
        sh(lab, "mkdir -p /srv/pg /mem; cp -a /data/a/pg/data /srv/pg/data")  # not frozen here
        bound = "mount --bind /data/a/pg /srv/pg"
        copied = "mount -t tmpfs mem /srv/pg; cp -a /data/a/pg/. /srv/pg; chown postgres /srv/pg"
        for arrangement, level in ((bound, "application"), (copied, "crash")):
            inside = f"'{arrangement}; exec \"$@\"'"
            script = f'exec unshare --mount --propagation private sh -ec {inside} sh "$@"'
            with postgres(lab, processes, script, data=Path("/srv/pg/data")):
                assert told(lab)[1] == level, arrangement
