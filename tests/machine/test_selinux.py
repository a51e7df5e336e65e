"""The SELinux module of the .rpm, as far as Debian's tools and policy can tell.

Debian's policy does not know QEMU's agent. So the names of Red Hat's policy that the module refers
to are declared here, beside Debian's: that Red Hat's policy has them this cannot show.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.machine import packages

pytestmark = pytest.mark.e2e

NAMES_OF_RED_HAT = """\
module redhat 1.0;
require { attribute domain; }
type virt_qemu_ga_t, domain;
"""
AGENT = "virt_qemu_ga_t"
EXECUTES = "{ execute execute_no_trans getattr ioctl map open read }"
TALKS_TO_THE_HOLDER = {
    f"allow {AGENT} stillpoint_guest_exec_t:file {EXECUTES};",
    f"allow {AGENT} stillpoint_guest_runtime_t:dir search;",
    f"allow {AGENT} stillpoint_guest_runtime_t:sock_file {{ getattr write }};",
    f"allow {AGENT} stillpoint_guest_t:unix_stream_socket connectto;",
}
HOLDER = "stillpoint_guest_t"
ANNOUNCES = f"allow {HOLDER} tty_device_t:chr_file {{ append getattr ioctl open }};"
STARTS = {
    f"allow init_t {HOLDER}:process {{ noatsecure rlimitinh siginh transition }};",
    f"allow init_t {HOLDER}:process2 {{ nnp_transition nosuid_transition }};",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's base policy, the names, and the module as the .rpm brings it along."""
    made = tmp_path_factory.mktemp("selinux")
    package = packages.build(made / "packages").rpm
    run(made, "sh", "-ec", f"rpm2archive - <{package} | tar -xz")
    shutil.copy(made / "usr/share/selinux/packages/stillpoint_guest.pp", made)
    run(
        made,
        "apt-get",
        "-qq",
        "-o",
        "APT::Sandbox::User=root",
        "download",
        "selinux-policy-default",
    )
    run(made, "sh", "-ec", "dpkg-deb --extract selinux-policy-default_*.deb debian")
    run(made, "sh", "-ec", "bunzip2 <debian/usr/share/selinux/default/base.pp.bz2 >base.pp")
    database = "debian/usr/share/selinux/default/postgresql.pp.bz2"
    run(made, "sh", "-ec", f"bunzip2 <{database} >postgresql.pp")
    (made / "redhat.te").write_text(NAMES_OF_RED_HAT)
    run(made, "checkmodule", "-M", "-m", "-o", "redhat.mod", "redhat.te")
    run(made, "semodule_package", "-o", "redhat.pp", "-m", "redhat.mod")
    return made


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def without(folder: Path) -> Path:
    """The policy as it is without the module."""
    return policy(folder, "without", "redhat.pp", "postgresql.pp")


@pytest.fixture(scope="module")
def with_it(folder: Path) -> Path:
    """The policy with the module."""
    return policy(folder, "with", "redhat.pp", "postgresql.pp", "stillpoint_guest.pp")


def policy(folder: Path, name: str, *modules: str) -> Path:
    run(folder, "semodule_link", "-o", "linked.pp", "base.pp", *modules)
    run(folder, "semodule_expand", "linked.pp", name)  # checks what the policy asserts, too
    return folder / name


def search(made: Path, *words: str) -> set[str]:
    return set(run(made.parent, "sesearch", *words, str(made)).splitlines())


def test_it_lets_the_agent_talk_to_the_holder_and_nothing_else(
    without: Path, with_it: Path
) -> None:
    words = ("--allow", f"--source={AGENT}")
    assert search(with_it, *words) - search(without, *words) == TALKS_TO_THE_HOLDER


def test_systemd_starts_the_holder_in_a_domain_of_its_own(with_it: Path) -> None:
    entered = search(with_it, "--type_trans", "--source=init_t", "--target=stillpoint_guest_exec_t")
    assert entered == {f"type_transition init_t stillpoint_guest_exec_t:process {HOLDER};"}
    assert search(with_it, "--allow", "--source=init_t", f"--target={HOLDER}") >= STARTS
    makes = ("--source=init_t", "--target=stillpoint_guest_runtime_t", "--class=sock_file")
    assert search(with_it, "--allow", *makes, "--perm=create")


def test_the_holder_may_write_to_the_serial_console_whatever_else_it_may(with_it: Path) -> None:
    """By a rule of its own, not only as whoever may do everything with devices."""
    words = (f"--source={HOLDER}", "--target=tty_device_t", "--class=chr_file")
    assert ANNOUNCES in search(with_it, "--allow", *words)


@pytest.mark.parametrize(
    ("target", "what", "right"),
    [
        ("postgresql_t", "unix_stream_socket", "connectto"),  # a database
        ("postgresql_t", "process", "ptrace"),  # who it is, from /proc
        ("fs_t", "filesystem", "getattr"),
        ("shell_exec_t", "file", "execute_no_trans"),  # a freeze script
        ("etc_t", "file", "execute_no_trans"),  # a step of a copy
        ("init_t", "unix_stream_socket", "connectto"),  # systemctl mask
        ("init_t", "system", "reload"),
        ("systemd_unit_t", "service", "disable"),
        ("systemd_unit_t", "service", "stop"),  # a section of type systemd
        (HOLDER, "capability", "sys_admin"),  # hostname
        (HOLDER, "capability", "setuid"),
        (HOLDER, "netlink_tcpdiag_socket", "nlmsg_read"),
    ],
)
def test_the_holder_may_do_its_work(with_it: Path, target: str, what: str, right: str) -> None:
    words = (f"--source={HOLDER}", f"--target={target}", f"--class={what}", f"--perm={right}")
    assert search(with_it, "--allow", *words)


def test_its_labels_are_types_of_the_policy_and_for_what_is_installed(
    folder: Path, with_it: Path
) -> None:
    run(folder, "semodule_unpackage", "stillpoint_guest.pp", "unpacked.mod", "unpacked.fc")
    lines = (folder / "unpacked.fc").read_text().splitlines()
    program, *_ = (line for line in lines if "--" in line)
    assert (folder / program.split()[0].lstrip("/")).is_file()
    for line in lines:
        label = line.split()[-1].split(":")[2]
        assert label in run(folder, "seinfo", f"--type={label}", str(with_it))
