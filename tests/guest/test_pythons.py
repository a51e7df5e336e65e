"""The agent's unit tests on every Python that guests may have and this machine has."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.6", "3.9", "3.13")  # the oldest, RHEL 9's, the newest that is common here
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
UNIT_TESTS = ("-Bm", "unittest", "discover", "--start", "tests/guest/unit", "--top", ".")


def interpreter(version: str) -> str | None:
    found = sorted(PYENV.glob(f"{version}.*/bin/python"))
    return str(found[-1]) if found else shutil.which(f"python{version}")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_agent_works_on_python(version: str) -> None:
    """One after the other: some of them measure how long others are kept waiting."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    done = subprocess.run(
        [python, *UNIT_TESTS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "guest_hooks")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 0 tests" not in done.stderr
