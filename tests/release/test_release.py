"""What `make release` refuses, and a dry run of all that it builds."""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACE = Path("guest_hooks") / "stillpoint_guest" / "__init__.py"
READ = ("CHANGELOG.md", "packaging/image.py", "packaging/release.py", "packaging/version.py", PLACE)
AS_BUILD_OF_GUEST = ROOT / "packaging" / "guest"  # it names the program from there
VERSION = subprocess.check_output(
    [sys.executable, "../version.py"], cwd=AS_BUILD_OF_GUEST, text=True
).strip()
UNCOMMITTED = "the tree has changes that are not committed; HINT: git status"
TAGS = ("git", "tag")
GIT = ("git", "-c", "user.name=Somebody", "-c", "user.email=somebody@stillpoint.invalid")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository that can be released, as far as that is looked at before anything is built."""
    for name in READ:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "changelog.d").mkdir()
    with (tmp_path / "CHANGELOG.md").open("a") as changelog:
        changelog.write(f"\n## [{VERSION}] - 2026-01-01\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(tree: Path, *words: str) -> None:
    subprocess.run([*GIT, *words], cwd=tree, check=True)


def commit(tree: Path) -> None:
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "what is released")


def obstacles(tree: Path) -> list[str]:
    """Lines that a refusal prints."""
    code = "import release; print(*release.obstacles(), sep='\\n', end='')"
    command = [sys.executable, "-B", "-c", code]
    return subprocess.check_output(command, cwd=tree / "packaging", text=True).splitlines()


def test_a_tree_that_is_ready_is_released(tree: Path) -> None:
    assert obstacles(tree) == []


def test_a_change_that_is_not_committed(tree: Path) -> None:
    (tree / PLACE).write_text((tree / PLACE).read_text() + "\n")
    (tree / "new").touch()
    assert obstacles(tree) == [UNCOMMITTED]


def test_a_version_that_is_released(tree: Path) -> None:
    git(tree, "tag", f"v{VERSION}")
    assert obstacles(tree) == [f"the tag v{VERSION} exists; HINT: another __version__ in {PLACE}"]


def test_changes_that_nobody_has_been_told_of(tree: Path) -> None:
    (tree / "changelog.d" / "+one.added.md").write_text("One thing.\n")
    commit(tree)
    assert obstacles(tree) == ["changelog.d has news that CHANGELOG.md lacks; HINT: make changelog"]


def test_a_version_without_news(tree: Path) -> None:
    shutil.copy(ROOT / "packaging" / "version.py", tree / "CHANGELOG.md")
    commit(tree)
    assert obstacles(tree) == [f"CHANGELOG.md has no section {VERSION}; HINT: make changelog"]


def test_a_refusal_builds_nothing_and_sets_no_tag(tree: Path) -> None:
    (tree / "new").touch()
    program = tree / "packaging" / "release.py"
    refused = subprocess.run(
        [sys.executable, "-B", program, "--output", tree / "dist"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"stillpoint: release: {UNCOMMITTED}\n"), refused.stderr
    assert not (tree / "dist").exists()
    assert subprocess.check_output(TAGS, cwd=tree, text=True) == ""


@pytest.mark.e2e
def test_a_dry_run_builds_everything(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    tags = subprocess.check_output(TAGS, cwd=ROOT, text=True)
    program = ROOT / "packaging" / "release.py"
    subprocess.run([sys.executable, program, "--dry-run", "--output", folder], check=True)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "SHA256SUMS",
        "stillpoint-guest",
        f"stillpoint-guest_{VERSION}_all.deb",
        f"stillpoint-guest-{VERSION}-1.noarch.rpm",
        f"stillpoint-{VERSION}-image.tar",
        f"stillpoint-{VERSION}-py3-none-any.whl",
        f"stillpoint-{VERSION}.cdx.json",
        f"stillpoint-{VERSION}.tar.gz",
    }
    sums = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert sums == [
        [hashlib.sha256((folder / name).read_bytes()).hexdigest(), name]
        for name in sorted(names - {"SHA256SUMS"})
    ]
    program_of_guest = folder / "stillpoint-guest"
    told = subprocess.check_output([sys.executable, program_of_guest, "--version"], text=True)
    assert told.strip() == VERSION
    bill = json.loads((folder / f"stillpoint-{VERSION}.cdx.json").read_text())
    assert bill["metadata"]["component"]["version"] == VERSION
    with tarfile.open(folder / f"stillpoint-{VERSION}-image.tar") as archive:
        assert {"index.json", "oci-layout"} <= set(archive.getnames())
    with tarfile.open(folder / f"stillpoint-{VERSION}.tar.gz") as sources:
        tops = {name.split("/")[1] for name in sources.getnames()}
    assert {"CHANGELOG.md", "LICENSE", "guest_hooks", "plugin", "pyproject.toml"} <= tops
    assert "tests" not in tops
    assert subprocess.check_output(TAGS, cwd=ROOT, text=True) == tags
