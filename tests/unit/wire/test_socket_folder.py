"""The folder of the plugin's socket."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillpoint.model.errors import NoPlace
from stillpoint.wire import socket_folder

NOBODY = 65534


def bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the folder is made."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places after TMPDIR; for a test to fill."""
    places: list[str] = []
    monkeypatch.setattr(socket_folder, "_PLACES", places)
    monkeypatch.setattr(os, "getcwd", lambda: "/nowhere")
    return places


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o777)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_nobody_else_can_enter_it_whatever_the_umask_is(place: Path) -> None:
    folder = socket_folder.listen(bind)
    [made] = place.iterdir()
    assert folder.address == f"{made}/socket"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(folder.address).stat().st_mode) == 0o700
    assert os.umask(0o777) == 0o777
    folder.close()
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become somebody else")
def test_the_kernel_refuses_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        tempfile.TemporaryDirectory() as place,
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as client,
    ):
        Path(place).chmod(0o755)
        monkeypatch.setenv("TMPDIR", place)
        made = socket_folder.listen(server.bind)
        server.listen()
        Path(made.address).chmod(0o777)  # the folder alone is enough
        code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        stranger = subprocess.run(
            ["/usr/bin/python3", "-c", code, made.address],
            user=NOBODY, group=NOBODY, extra_groups=(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert "PermissionError" in stranger.stderr
        client.connect(made.address)
        made.close()


@pytest.mark.parametrize(
    "given", ["", "relative", "/nowhere", "/dev/null", "/proc", "/with space", "/" + "x" * 90]
)
def test_a_place_where_none_can_be_made_is_passed_over(
    given: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, elsewhere: list[str]
) -> None:
    monkeypatch.setenv("TMPDIR", given)
    elsewhere.append(str(tmp_path))
    folder = socket_folder.listen(bind)
    assert folder.address.startswith(f"{tmp_path}/")
    folder.close()


def test_a_file_system_without_sockets_is_passed_over_and_left_clean(
    place: Path, tmp_path_factory: pytest.TempPathFactory, elsewhere: list[str]
) -> None:
    def refuse_first(path: str) -> None:
        if path.startswith(f"{place}/"):
            raise RuntimeError("Failed to bind")
        bind(path)

    other = tmp_path_factory.mktemp("other")
    elsewhere.append(str(other))
    folder = socket_folder.listen(refuse_first)
    assert folder.address.startswith(f"{other}/")
    assert list(place.iterdir()) == []
    folder.close()


def test_a_place_where_strangers_can_rename_it_is_the_last_resort(
    place: Path, tmp_path_factory: pytest.TempPathFactory, elsewhere: list[str]
) -> None:
    place.chmod(0o777)
    alone = socket_folder.listen(bind)
    assert alone.address.startswith(f"{place}/")
    alone.close()
    other = tmp_path_factory.mktemp("other")
    elsewhere.append(str(other))
    folder = socket_folder.listen(bind)
    assert folder.address.startswith(f"{other}/")
    folder.close()
    place.chmod(0o1777)
    folder = socket_folder.listen(bind)
    assert folder.address.startswith(f"{place}/")
    folder.close()


def test_without_any_place_the_error_names_each_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, elsewhere: list[str]
) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    elsewhere.append("/dev/null")
    with pytest.raises(NoPlace) as raised:
        socket_folder.listen(bind)
    assert str(raised.value) == (
        "socket of the plugin: cannot make a folder for it: /nowhere: No such file or directory; "
        "/dev/null: Not a directory; HINT: give Velero's pod an emptyDir at /tmp, or set TMPDIR"
    )


_HOLDS_ONE = """
import sys
from tests.unit.wire.test_socket_folder import bind, socket_folder
folder = socket_folder.listen(bind)
print(folder.address, flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_process_has_left_is_removed_and_what_a_living_one_has_is_not(
    place: Path,
) -> None:
    command = [sys.executable, "-c", _HOLDS_ONE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen(command, text=True, **pipes) as killed,  # type: ignore[call-overload]
        subprocess.Popen(command, text=True, **pipes) as living,  # type: ignore[call-overload]
    ):
        left, kept = (Path(one.stdout.readline().strip()) for one in (killed, living))
        killed.kill()
        killed.wait()
        others = [place / "stillpoint-plugin-backups", place / "else"]
        for other in others:
            other.mkdir()
            (other / "file").touch()
        (place / "stillpoint-plugin-link").symlink_to(place / "else")
        folder = socket_folder.listen(bind)
        folder.remove_leftovers()
        assert not left.parent.exists()
        assert kept.exists()
        assert Path(folder.address).exists()
        assert all((other / "file").exists() for other in others)
        living.kill()
    folder.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become somebody else")
def test_leftovers_of_another_user_stay(place: Path) -> None:
    theirs = place / "stillpoint-plugin-theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    folder = socket_folder.listen(bind)
    folder.remove_leftovers()
    assert theirs.exists()
    folder.close()
