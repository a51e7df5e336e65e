"""Builds a release into a folder, and tags it: `make release`; RELEASING.md has all steps.

    python packaging/release.py [--dry-run] [--output FOLDER]

    stillpoint-VERSION-py3-none-any.whl, stillpoint-VERSION.tar.gz   for admins, and its sources
    stillpoint-guest, stillpoint-guest….deb, stillpoint-guest….rpm   for guests
    stillpoint-VERSION-image.tar, stillpoint-VERSION.cdx.json        for Velero, and what is in it
    SHA256SUMS                                                       of all of these

A dry run builds all of it too, from whatever the tree has and with the bases that the cache has; it
names what a release would be refused for, and sets no tag. A release makes its bases anew, so that
OpenSSL, zlib, CPython and glibc are the newest of their Debian. Nothing is pushed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import image
from version import PLACE, version

ROOT = Path(__file__).parents[1]
CHECKSUMS = "SHA256SUMS"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dry-run", action="store_true", help="set no tag, and refuse nothing")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="default: dist")
    given = parser.parse_args()
    found = list(obstacles())
    for obstacle in found:
        image.report(f"release: {obstacle}")
    if found and not given.dry_run:
        return 1
    build(given.output.absolute(), fresh_bases=not given.dry_run)
    if not given.dry_run:
        run("git", "tag", "--annotate", tag(), "--message", f"stillpoint {version()}")
    return 0


def tag() -> str:
    return f"v{version()}"


def obstacles() -> Iterator[str]:
    """Reasons why this tree cannot be released."""
    if answer("git", "status", "--porcelain"):
        yield "the tree has changes that are not committed; HINT: git status"
    if answer("git", "tag", "--list", tag()):
        yield f"the tag {tag()} exists; HINT: another __version__ in {PLACE.relative_to(ROOT)}"
    if list((ROOT / "changelog.d").glob("*.md")):
        yield "changelog.d has news that CHANGELOG.md lacks; HINT: make changelog"
    if f"\n## [{version()}] - " not in (ROOT / "CHANGELOG.md").read_text():
        yield f"CHANGELOG.md has no section {version()}; HINT: make changelog"


def build(output: Path, *, fresh_bases: bool) -> None:
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    run(sys.executable, "-m", "hatchling", "build", "--directory", str(output))
    build_guest_packages(output)
    if fresh_bases:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as cache:
            build_image(output, Path(cache))
    else:
        build_image(output, image.cache_folder())
    write_checksums(output)


def build_guest_packages(output: Path) -> None:
    environment = os.environ | {"PYTHON": sys.executable, "VERSION": version()}
    program = ROOT / "packaging" / "guest" / "build"
    subprocess.run([program, output], env=environment, stdout=sys.stderr, check=True)


def build_image(output: Path, cache: Path) -> None:
    with image.one_at_a_time(cache):
        root = image.built(cache)
        archive = output / f"stillpoint-{version()}-image.tar"
        name = f"{image.IMAGE}:{image.fingerprint()}"
        target = f"oci-archive:{archive}:stillpoint:{version()}"
        run(*map(str, image.storage(cache)), "push", "--quiet", name, target)
    shutil.copyfile(root / "stillpoint.cdx.json", output / f"stillpoint-{version()}.cdx.json")


def write_checksums(output: Path) -> None:
    """In the form that `sha256sum --check` reads."""
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(output.iterdir())
    ]
    (output / CHECKSUMS).write_text("".join(sums))


def run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=True)


def answer(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
