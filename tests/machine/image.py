"""A Debian guest for tests, built once and kept outside the tree.

`python -m tests.machine.image` builds it. It lies in
`${XDG_CACHE_HOME:-~/.cache}/stillpoint/guest-HASH`, where the hash covers all that it depends on:
three images of filesystems, to be copied before they are used, a kernel and its initial RAM disk.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.peers.build import Report, cache_folder, one_at_a_time

OVERLAY = Path(__file__).with_name("overlay")
RELEASE = "bookworm"
BASE = ("ca-certificates", "dbus", "e2fsprogs", "kmod", "procps", "systemd-sysv", "udev")
PACKAGES = (
    "cloud-init",
    "initramfs-tools",
    "linux-image-cloud-amd64",
    "mariadb-server",
    "postgresql",
    "python3",
    "qemu-guest-agent",
    "zstd",
)
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-networkd.service",
    "systemd-timesyncd.service",
)
"""Units that only make a boot without hardware acceleration slower."""


@dataclass(frozen=True)
class Disk:
    """One filesystem of the guest, which is its label, and the folder that is its root."""

    label: str
    folder: str
    size_mib: int


DISKS = (
    Disk("data", "var/lib/postgresql", 512),
    Disk("hot", "var/lib/mysql", 512),
    Disk("system", ".", 2048),
)
"""The last one takes what the others have left."""


class ImageError(Exception):
    """The guest's image could not be built: which step, and what it printed."""


@dataclass(frozen=True)
class Image:
    """A built guest."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initial_ram_disk(self) -> Path:
        return self.folder / "initrd"

    def disk(self, label: str) -> Path:
        return self.folder / f"{label}.img"


def guest_image(report: Report = print) -> Image:
    """The guest of this checkout, built if need be.

    Raises:
        ImageError: it could not be built.
    """
    folder = cache_folder().with_name(f"guest-{_identity()}")
    with one_at_a_time("guest"):
        if not folder.exists():
            started = time.monotonic()
            report(f"guest: building a Debian {RELEASE} of {len(PACKAGES)} packages, 3 minutes")
            _build(folder)
            report(f"guest: built in {time.monotonic() - started:.0f} s")
    return Image(folder)


def _identity() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(OVERLAY.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(OVERLAY)} {path.stat().st_mode}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    root = unfinished / "root"
    root.mkdir(parents=True)
    _install(root)
    _configure(root)
    for name in ("vmlinuz", "initrd"):
        target = "initrd.img" if name == "initrd" else name
        (found,) = (root / "boot").glob(f"{target}-*")
        shutil.move(found, unfinished / name)
    for disk in DISKS:
        _make_disk(disk, root, unfinished / f"{disk.label}.img")
    shutil.rmtree(root)
    unfinished.rename(folder)


def _install(root: Path) -> None:
    mirror = _mirror()
    _run("debootstrap", "--variant=minbase", f"--include={','.join(BASE)}", RELEASE, root, mirror)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    for each in Path("/etc/apt/apt.conf.d").glob("*proxy*"):
        shutil.copy(each, root / "etc/apt/apt.conf.d")
    # A mount namespace of its own: whatever goes wrong, nothing stays mounted.
    script = (
        "mount -t proc proc $0/proc && mount --bind /dev $0/dev && chroot $0 sh -ec '"
        "export DEBIAN_FRONTEND=noninteractive LC_ALL=C;"
        'apt-get -qq update; apt-get -qq install --no-install-recommends "$@"; apt-get clean'
        '\' sh "$@"'
    )
    _run("unshare", "--mount", "--propagation=private", "sh", "-ec", script, root, *PACKAGES)


def _configure(root: Path) -> None:
    (root / "usr/sbin/policy-rc.d").unlink()
    (root / "etc/machine-id").write_text("")
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    wanted = root / "etc/systemd/system/getty.target.wants/serial-getty@hvc0.service"
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to("/lib/systemd/system/serial-getty@.service")
    for each in ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/lib/apt/lists"):
        shutil.rmtree(root / each)
        (root / each).mkdir()
    shutil.copytree(OVERLAY, root, dirs_exist_ok=True, symlinks=True)


def _make_disk(disk: Disk, root: Path, image: Path) -> None:
    """Without a mount: the folder's content goes into the image, and out of the folder."""
    source = root / disk.folder
    with image.open("wb") as file:
        file.truncate(disk.size_mib * 2**20)
    owner = f"root_owner={source.stat().st_uid}:{source.stat().st_gid}"
    _run("mkfs.ext4", "-q", "-L", disk.label, "-E", owner, "-d", source, image)
    for each in source.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def _mirror() -> str:
    """Where this machine's own packages come from."""
    form = ["--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {RELEASE}"]
    found = _run("apt-get", "indextargets", *form).split()
    if not found:
        raise ImageError(f"no package source of Debian {RELEASE} in the sources of apt")
    return found[0]


def _run(*command: str | Path) -> str:
    """What the command printed."""
    environment = os.environ | {"LC_ALL": "C", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise ImageError(f"{command[0]}: exit status {done.returncode}:\n{tail}")
    return done.stdout


if __name__ == "__main__":
    sys.stdout.write(f"{guest_image().folder}\n")
