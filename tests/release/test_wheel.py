"""The wheel as an admin has it: installed by pip, away from this repository."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.wire import handshake

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", folder], cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the wheel, and the dependencies of the environment that the tests run in."""
    folder = tmp_path_factory.mktemp("admin") / "environment"
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    # Only a path: .pth files in that folder, as the editable install of this tree, do not count.
    (site(folder) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def site(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def run(environment: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As in a shell of somebody else: nothing of this repository is in a variable or a folder."""
    return subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=environment.parent,
        env={"HOME": str(environment.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_has_one_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        tops = {name.partition("/")[0] for name in opened.namelist()}
    assert tops == {"stillpoint", wheel.name.partition("-py3")[0] + ".dist-info"}


def test_pip_lays_one_package_into_site_packages(environment: Path) -> None:
    laid = {path.name for path in site(environment).iterdir()} - {"dependencies.pth"}
    assert {name for name in laid if not name.endswith(".dist-info")} == {"stillpoint"}
    found = run(environment, "python", "-c", "import stillpoint; print(stillpoint.__path__[0])")
    assert found.stdout.strip() == str(site(environment) / "stillpoint"), found.stderr


def test_the_command_helps(environment: Path) -> None:
    helped = run(environment, "stillpoint", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "rehearse" in helped.stdout


def test_the_command_rehearses(environment: Path) -> None:
    shutil.copytree(ROOT / "examples", environment.parent / "examples")
    rehearsed = run(environment, "stillpoint", "rehearse", "--from", "examples")
    assert rehearsed.returncode == ExitStatus.GOOD, rehearsed.stderr
    assert "shop/db" in rehearsed.stdout


def test_the_plugin_knows_that_velero_did_not_start_it(environment: Path) -> None:
    refused = run(environment, "stillpoint-velero-plugin")
    assert (refused.returncode, refused.stderr) == (1, handshake.NOT_STARTED_BY_VELERO)
