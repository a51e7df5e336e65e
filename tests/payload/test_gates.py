"""The build's own gates: each fault is made on purpose and ends the build."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def compiled(folder: Path, name: str, code: str, *options: str) -> Path:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    source = folder.parent / "source.c"
    source.write_text(code)
    subprocess.run(["cc", "-o", target, source, *options], check=True)  # noqa: S607
    return target


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A payload that is fit: one executable, one extension module."""
    folder = tmp_path / "stillpoint"
    compiled(folder, "stillpoint", "int main(void) { return 0; }")
    compiled(folder, "lib/extension.so", "int one(void) { return 1; }", "-shared", "-fPIC")
    return folder


def ends_with(gate: str, output: Path) -> str:
    """The last line that a step of the build prints, and nothing if it finds no fault."""
    code = f"import pathlib, payload; payload.{gate}(pathlib.Path({str(output)!r}))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "packaging",
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert bool(ended.returncode) == bool(ended.stderr)
    return ended.stderr.strip().rpartition("\n")[2]


def test_what_is_fit_passes_and_one_file_is_executable(output: Path) -> None:
    (output / "lib" / "extension.so").chmod(0o777)
    assert ends_with("strip_and_check", output) == ""
    marked = [path for path in output.rglob("*") if path.is_file() and path.stat().st_mode & 0o111]
    assert marked == [output / "stillpoint"]


def test_a_function_of_a_newer_glibc(output: Path) -> None:
    newer = "#include <stdlib.h>\nunsigned two(void) { return arc4random(); }"  # glibc 2.36
    compiled(output, "lib/newer.so", newer, "-shared", "-fPIC")
    assert ends_with("strip_and_check", output) == (
        "payload.Unfit: newer.so needs glibc 2.36; the newest allowed is 2.34"
    )


def test_a_library_that_the_folder_of_plugins_could_replace(output: Path) -> None:
    compiled(
        output, "stillpoint", "int main(void) { return 0; }",
        "-Wl,--enable-new-dtags,-rpath,$ORIGIN/lib",
    )  # fmt: skip
    assert ends_with("strip_and_check", output) == (
        "payload.Unfit: stillpoint has a RUNPATH: its libraries would not be those of the payload"
    )


def test_a_symlink(output: Path) -> None:
    (output / "lib" / "other.so.1").symlink_to("extension.so")
    assert ends_with("strip_and_check", output) == (
        "payload.Unfit: other.so.1: a symlink, which Velero would execute"
    )


def test_a_library_that_is_nowhere(output: Path) -> None:
    gone = compiled(output, "libgone.so", "int two(void) { return 2; }", "-shared", "-fPIC")
    code = "int two(void); int three(void) { return two() + 1; }"
    compiled(output, "lib/needs.so", code, "-shared", "-fPIC", f"-L{output}", "-lgone")
    gone.unlink()
    assert ends_with("copy_needed_libraries", output) == (
        "payload.Unfit: needs.so needs libgone.so, which is nowhere"
    )
