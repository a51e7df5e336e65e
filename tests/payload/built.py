"""What is tested here: built if it has to be, from this tree."""

import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def image() -> Path:
    """Root file system of the image."""
    program = ROOT / "packaging" / "image.py"
    return Path(subprocess.check_output([sys.executable, program], text=True).strip())


def payload() -> Path:
    """The folder that comes into Velero's folder of plugins."""
    return image() / "plugins" / "stillpoint"


def executable() -> Path:
    return payload() / "stillpoint"
