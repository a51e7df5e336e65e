"""The guest's packages of this checkout."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).parents[2] / "packaging" / "guest" / "build"


@dataclass(frozen=True)
class Packages:
    deb: Path
    rpm: Path
    program: Path


def build(folder: Path) -> Packages:
    """Builds them into a folder."""
    subprocess.run([BUILD, folder], check=True, env=os.environ | {"PYTHON": sys.executable})
    (deb,), (rpm,) = folder.glob("*.deb"), folder.glob("*.rpm")
    return Packages(deb, rpm, folder / "stillpoint-guest")
