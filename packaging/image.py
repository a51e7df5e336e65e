"""Builds the image on local bases, where no registry of images is reached: `make image`.

Prints the folder that has the root file system of the image, for a look at it and for tests; the
payload is its `plugins/stillpoint`. What is up to date is not built again. Needs root, and buildah,
debootstrap and dpkg-dev of Debian (`make image` installs them).
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK_FILE = ROOT / "packaging" / "requirements.lock"
SOURCES = (
    *("Dockerfile", "LICENSE", "guest_hooks/stillpoint_guest/__init__.py", "packaging", "plugin"),
    "pyproject.toml",
)
PYTHON_OF_BASE = "3.11"
ABIS = ("cp311", "abi3", "none")
GLIBC_OF_BASE = 31  # 2.31, of Debian 11
IMAGE = "localhost/stillpoint"
KEPT_S = 24 * 3600
"""Builds of other states of the tree that are older than this make room for a new one."""

Command = Sequence[str | Path]


def main() -> int:
    with one_at_a_time(cache_folder()) as cache:
        print(built(cache))
    return 0


def built(cache: Path) -> Path:
    """Root file system of the image of this tree."""
    state = fingerprint()
    target = cache / f"root-{state}"
    if not target.exists():
        make_room(cache)
        report("image: building")
        build(cache, f"{IMAGE}:{state}")
        export(cache, f"{IMAGE}:{state}", target)
    target.touch()
    return target


def build(cache: Path, image: str) -> None:
    buildah = storage(cache)
    environment = os.environ | {"BUILDAH": " ".join(map(str, buildah))}
    tag = output_of([ROOT / "packaging" / "local-bases"], environment).strip()
    run(
        [
            *(*buildah, "build", "--quiet", "--isolation", "chroot", "--pull=never"),
            *("--build-arg", f"BUILD_BASE=localhost/stillpoint-build:{tag}"),
            *("--build-arg", f"RUN_BASE=localhost/stillpoint-run:{tag}"),
            *("--volume", f"{site(cache)}:/site:ro"),
            *("--tag", image, "--tag", f"{IMAGE}:latest", ROOT),
        ]
    )


def site(cache: Path) -> Path:
    """The locked dependencies: pip is set up for its registry here, and not in the base."""
    target = cache / f"site-{digest([LOCK_FILE])}"
    if not target.exists():
        unfinished = target.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        machine = platform.machine()
        tags = [f"manylinux_2_{minor}_{machine}" for minor in range(17, GLIBC_OF_BASE + 1)]
        tags.append(f"manylinux2014_{machine}")  # an older name of manylinux_2_17
        run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:"),
                *("--implementation=cp", f"--python-version={PYTHON_OF_BASE}"),
                *(f"--abi={abi}" for abi in ABIS),
                *(f"--platform={tag}" for tag in tags),
                *("--requirement", LOCK_FILE, "--target", unfinished),
            ]
        )
        unfinished.rename(target)
    return target


def export(cache: Path, image: str, target: Path) -> None:
    buildah = storage(cache)
    container = output_of([*buildah, "from", "--pull=never", image]).strip()
    try:
        mounted = output_of([*buildah, "mount", container]).strip()
        unfinished = target.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(mounted, unfinished, symlinks=True)
        unfinished.rename(target)
    finally:
        run([*buildah, "rm", container])


def make_room(cache: Path) -> None:
    for old in cache.glob("root-*"):
        if time.time() - old.stat().st_mtime > KEPT_S:
            shutil.rmtree(old)
            image = f"{IMAGE}:{old.name.removeprefix('root-')}"
            subprocess.run([*storage(cache), "rmi", image], capture_output=True, check=False)


def storage(cache: Path) -> list[str | Path]:
    """buildah, with images of its own: those of this machine's user are not touched."""
    return ["buildah", "--root", cache / "storage", "--runroot", cache / "run"]


def fingerprint() -> str:
    files = (path for name in SOURCES for path in (ROOT / name, *(ROOT / name).rglob("*")))
    wanted = (path for path in files if path.is_file() and "__pycache__" not in path.parts)
    return digest(sorted(wanted))


def digest(files: Sequence[Path]) -> str:
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{file.relative_to(ROOT)} {file.stat().st_mode:o}\0".encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "stillpoint" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[Path]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def run(command: Command) -> None:
    output_of(command)


def output_of(command: Command, environment: dict[str, str] | None = None) -> str:
    """Standard output; standard error goes where that of this process goes."""
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def report(line: str) -> None:
    sys.stderr.write(f"stillpoint: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
