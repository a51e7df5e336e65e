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
require { attribute domain; attribute file_type; }
type virt_qemu_ga_t, domain;
type virt_qemu_ga_unconfined_exec_t, file_type;
type unconfined_service_t, domain;
"""
AGENT = "virt_qemu_ga_t"
TALKS_TO_THE_HOLDER = {
    f"allow {AGENT} unconfined_service_t:unix_stream_socket connectto;",
    f"allow {AGENT} var_run_t:sock_file write;",
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


def rules(folder: Path, *modules: str) -> set[str]:
    """What the agent may do under the policy that these modules make."""
    run(folder, "semodule_link", "-o", "linked.pp", "base.pp", *modules)
    run(folder, "semodule_expand", "linked.pp", "policy.33")
    return set(run(folder, "sesearch", "--allow", f"--source={AGENT}", "policy.33").splitlines())


def test_it_lets_the_agent_talk_to_the_holder_and_nothing_else(folder: Path) -> None:
    added = rules(folder, "redhat.pp", "stillpoint_guest.pp") - rules(folder, "redhat.pp")
    assert added == TALKS_TO_THE_HOLDER


def test_its_label_is_a_type_of_the_policy_and_for_the_installed_program(folder: Path) -> None:
    rules(folder, "redhat.pp", "stillpoint_guest.pp")
    run(folder, "semodule_unpackage", "stillpoint_guest.pp", "unpacked.mod", "unpacked.fc")
    path, kind, label = (folder / "unpacked.fc").read_text().split()
    assert (folder / path.lstrip("/")).is_file()
    assert kind == "--"
    assert run(folder, "seinfo", "--type=" + label.split(":")[2], "policy.33").count(
        label.split(":")[2]
    )
