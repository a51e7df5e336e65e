"""A root as that of Velero's container: glibc, zlib, the payload, and Velero's own client code."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.payload.built import ROOT, image
from tests.peers.build import binary

CONFINE = Path(__file__).with_name("confine.py")
ACCEPTANCE = "velero-acceptance"

_START = """

def main() -> int:
    sys.meta_path.append(OfFrozenPackages)
    from tests.wire import actions_for_tests

    return actions_for_tests.main()
"""


@dataclass(frozen=True)
class Finished:
    """How a command in the pod ended, and what it left behind."""

    status: int
    output: str
    errors: str
    processes: list[str]
    files: list[str]
    target: dict[str, list[int]]
    """What is in /target: access rights and size of each file."""


@dataclass(frozen=True)
class Pod:
    root: Path

    @property
    def plugins(self) -> Path:
        return self.root / "plugins"

    def run(self, *command: str, temporary: str = "noexec") -> Finished:
        """Runs a command of the root; see confine.py."""
        report = subprocess.check_output(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                *(sys.executable, "-I", str(CONFINE), str(self.root), temporary, *command),
            ]
        )
        return Finished(**json.loads(report))

    def velero(self, check: str, *, temporary: str = "noexec") -> Finished:
        flags = ("--plugin-dir=/plugins", "--log-level=debug", "--features=EnableCSI")
        return self.run(f"/{ACCEPTANCE}", check, *flags, temporary=temporary)


def pod(folder: Path) -> Pod:
    """With the payload as it is."""
    root = folder / "root"
    shutil.copytree(image(), root, symlinks=True)
    for name in ("dev", "proc", "target"):
        (root / name).mkdir()
    shutil.copytree(ROOT / "examples", root / "examples")
    shutil.copy2(binary("velero-acceptance"), root / ACCEPTANCE)
    return Pod(root)


def pod_for_tests(folder: Path) -> Pod:
    """With the actions of tests/wire in the payload, which its launcher finds before its own."""
    made = pod(folder)
    library = made.plugins / "stillpoint" / "lib"
    start = (ROOT / "packaging" / "start.py").read_text()
    (library / "start.pyc").unlink()
    (library / "start.py").write_text(start + _START)
    for module in (
        "tests/__init__.py",
        "tests/wire/__init__.py",
        "tests/wire/actions_for_tests.py",
    ):
        target = library / module
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / module, target)
    return made
